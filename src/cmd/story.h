/*
 * story.h - tasks and deliveries as the operator sees them: a row of a list, and the whole story of
 * one.
 *
 * What is told is an object: as JSON it is printed as it is, for people as text.
 */
#ifndef CMD_STORY_H
#define CMD_STORY_H

#include "cmd/look.h"

/* Rows; NULL: memory ran out. Owned. */
struct json_object *story_task_row(const struct look_list *list, const struct inbox_task *t);
struct json_object *story_delivery_row(const struct look_list *list,
                                       const struct inbox_delivery *d);

/* The whole story of a task or a delivery, printed. Returns the exit status. */
int story_of_task(const struct look *l, int64_t id, bool json);
int story_of_delivery(const struct look *l, int64_t id, bool json);

#endif
