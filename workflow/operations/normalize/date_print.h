/* date_print - a date by a strftime format (C locale), without the C library: its strftime opens the time zone's file,
 * which the sandbox forbids, and has no microseconds. */
#ifndef DATE_PRINT_H
#define DATE_PRINT_H

#include "buf.h"
#include "table/date_text.h"

/* Appends the date. Known: %Y %C %y %m %d %e %j %H %I %M %S %f %p %a %A %b %h %B %u %w %U %W %V %G %D %F %T %R %r %c %x
 * %X %n %t %%, and %z and %Z, which are empty. A `-` after the `%` leaves leading zeros and blanks out (%-d). What is
 * unknown stays as it is. */
enum err date_print(struct buf *to, const struct date_parts *date, const char *format, size_t len) MUST_CHECK;

#endif
