#include "err.h"
const char *broker_name(void);
const char *broker_name(void){return err_name(ERR_OK);}
