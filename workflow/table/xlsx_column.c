#include "table/xlsx_column.h"

size_t xlsx_column_name(uint32_t column, char out[XLSX_COLUMN_NAME_MAX])
{
    char reversed[XLSX_COLUMN_NAME_MAX];
    size_t len = 0;
    for (uint32_t left = column + 1; left > 0 && len < XLSX_COLUMN_NAME_MAX - 1; left = (left - 1) / 26)
        reversed[len++] = (char)('A' + (left - 1) % 26);
    for (size_t i = 0; i < len; i++)
        out[i] = reversed[len - 1 - i];
    out[len] = '\0';
    return len;
}

bool xlsx_column_parse(const char *reference, size_t len, uint32_t *out)
{
    uint32_t value = 0;
    for (size_t at = 0; at < len && value <= XLSX_COLUMNS_MAX; at++) {
        char letter = (char)(reference[at] & ~0x20);
        if (letter < 'A' || letter > 'Z')
            break;
        value = value * 26 + (uint32_t)(letter - 'A') + 1;
    }
    if (value == 0 || value > XLSX_COLUMNS_MAX)
        return false;
    *out = value - 1;
    return true;
}
