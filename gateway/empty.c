#include "err.h"
const char *gateway_name(void);
const char *gateway_name(void){return err_name(ERR_OK);}
