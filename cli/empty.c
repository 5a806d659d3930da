#include "err.h"
const char *cli_name(void);
const char *cli_name(void){return err_name(ERR_OK);}
