/*
 * temp_folder.h - a folder of a test's own, in memory where the system has a place for such files.
 */
#ifndef TEMP_FOLDER_H
#define TEMP_FOLDER_H

#define TEMP_FOLDER_MAX 64

void temp_folder_make(char ret[TEMP_FOLDER_MAX]);
void temp_folder_remove(const char *folder); /* and what is in it */

#endif
