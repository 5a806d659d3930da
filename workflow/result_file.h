/* result_file - what becomes of a result that is larger than an event may be: its largest member leaves it for a file
 * of its own, and a summary of that member takes its place. Pure; any thread. */
#ifndef RESULT_FILE_H
#define RESULT_FILE_H

#include <jansson.h>
#include <stdbool.h>

#define RESULT_MEMBER_MAX 64 /* bytes of a member's name with its NUL; longer ones stay in the result */

/* Takes the largest member out of the object: its name and its value as compact JSON, the caller's to free. The result
 * gets a `summary` unless it has one: of an object its plain members and the sizes of the others ("errors_count"), of a
 * list its `count`. false: there is nothing to take out, or no memory. */
bool result_file_split(json_t *result, char member[RESULT_MEMBER_MAX], char **text);

#endif
