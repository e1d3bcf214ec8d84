/*
 * fork.c - whose connection is it? After a fork the descriptor is the parent's too, and not a byte
 * may go over it. Asking getpid() costs a system call each time; on Linux a page that the kernel
 * empties in the child (MADV_WIPEONFORK, 4.14) tells it for the price of a load.
 */
#include "core.h"
#include "conn.h"

#include <sys/mman.h>
#include <unistd.h>

/* The page's first byte, set by the process that dialled. */
static volatile char *new_page(void)
{
#ifdef MADV_WIPEONFORK
	size_t size = (size_t) sysconf(_SC_PAGESIZE);
	void  *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return NULL;
	if (madvise(page, size, MADV_WIPEONFORK) == 0)
		return page;
	munmap(page, size);
#endif
	return NULL;
}

void sr_owner_set(sr_owner *o)
{
	if (o->page == NULL)
		o->page = new_page();
	if (o->page != NULL)
		*o->page = 1;
	o->pid = getpid();
}

bool sr_owner_is_this_process(const sr_owner *o)
{
	return o->page != NULL ? *o->page == 1 : o->pid == getpid();
}

void sr_owner_free(sr_owner *o)
{
	if (o->page != NULL)
		munmap((void *) o->page, (size_t) sysconf(_SC_PAGESIZE));
	o->page = NULL;
}
