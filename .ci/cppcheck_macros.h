/* What cppcheck must know of foreign headers it does not read: loops that are macros. */
#define json_array_foreach(array, index, value) for (index = 0; (value = json_array_get(array, index)) != NULL; index++)
#define json_object_foreach(object, key, value) for (key = NULL; (value = json_object_get(object, key)) != NULL;)
