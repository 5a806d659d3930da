#include "err.h"
const char *workflow_name(void);
const char *workflow_name(void){return err_name(ERR_OK);}
