/*
 * pg_compat.h - every difference between PostgreSQL versions, in one place. 15 to 18.
 */
#ifndef SQLREDIS_PG_COMPAT_H
#define SQLREDIS_PG_COMPAT_H

#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "catalog/pg_proc.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/guc.h"
#if PG_VERSION_NUM >= 180000
#include "storage/waiteventset.h"
#endif
#include "utils/wait_event.h"

#if PG_VERSION_NUM < 150000
#error sqlredis needs PostgreSQL 15 or later
#endif

/* A set that lives until it is freed, whatever transaction ends meanwhile. */
#if PG_VERSION_NUM >= 170000
#define create_wait_event_set(n) CreateWaitEventSet(NULL, n)
#else
#define create_wait_event_set(n) CreateWaitEventSet(TopMemoryContext, n)
#endif

#if PG_VERSION_NUM >= 160000
#define is_owner(relation)		object_ownercheck(RelationRelationId, relation, GetUserId())
#define owns_database(database) object_ownercheck(DatabaseRelationId, database, GetUserId())
#define may_execute(function, role)                                                                \
	(object_aclcheck(ProcedureRelationId, function, role, ACL_EXECUTE) == ACLCHECK_OK)
#else
#define is_owner(relation)			pg_class_ownercheck(relation, GetUserId())
#define owns_database(database)		pg_database_ownercheck(database, GetUserId())
#define may_execute(function, role) (pg_proc_aclcheck(function, role, ACL_EXECUTE) == ACLCHECK_OK)
#endif

/* Raise unless the current user may read what the plan reads. */
#if PG_VERSION_NUM >= 160000
#define check_permissions(plan)                                                                    \
	((void) ExecCheckPermissions((plan)->rtable, (plan)->permInfos, true))
#else
#define check_permissions(plan) ((void) ExecCheckRTPerms((plan)->rtable, true))
#endif

/* The running transaction's number in this backend. */
#if PG_VERSION_NUM >= 170000
#define my_lxid (MyProc->vxid.lxid)
#else
#define my_lxid (MyProc->lxid)
#endif

/* This process's, among all that have a PGPROC. */
#if PG_VERSION_NUM >= 170000
#define my_proc_number MyProcNumber
#else
#define my_proc_number (MyProc->pgprocno)
#endif

/* Before 16, PG_FUNCTION_INFO_V1 does not export what it declares. */
#define EXPORTED_FUNCTION(name)                                                                    \
	PGDLLEXPORT Datum name(PG_FUNCTION_ARGS);                                                      \
	PG_FUNCTION_INFO_V1(name)

/* Columns whose value is computed when read: a trigger's tuple does not hold it. */
#if PG_VERSION_NUM >= 180000
#define is_virtual_column(att) ((att)->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL)
#else
#define is_virtual_column(att) false
#endif

#endif
