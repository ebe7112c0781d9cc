#include "footprint.h"

#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

void trim_footprint(void)
{
    const ElfW(Phdr) *headers = (const ElfW(Phdr) *)(uintptr_t)getauxval(AT_PHDR);
    unsigned long count = getauxval(AT_PHNUM);
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), bias = 0;
    if (!headers)
        return;
    for (unsigned long i = 0; i < count; i++)
        if (headers[i].p_type == PT_PHDR)
            bias = (uintptr_t)headers - headers[i].p_vaddr;
    for (unsigned long i = 0; i < count; i++) {
        if (headers[i].p_type != PT_LOAD || headers[i].p_flags & PF_W)
            continue; /* what was written to is not in the file */
        uintptr_t start = (bias + headers[i].p_vaddr) & ~(page - 1);
        uintptr_t end = (bias + headers[i].p_vaddr + headers[i].p_memsz + page - 1) & ~(page - 1);
        void *segment = (void *)start;
        madvise(segment, end - start, MADV_RANDOM);   /* one page at a time from here on */
        madvise(segment, end - start, MADV_DONTNEED); /* read again from the page cache when needed */
    }
}
