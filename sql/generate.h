/*
 * generate.h - what generate.c has of objects.c.
 */
#ifndef SQLREDIS_GENERATE_H
#define SQLREDIS_GENERATE_H

void print_own_objects(void);

#endif
