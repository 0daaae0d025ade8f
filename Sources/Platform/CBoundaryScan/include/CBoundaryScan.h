// The inner loop of content-defined chunking: a gear hash (Xia et al., "FastCDC", USENIX ATC 2016) over every window
// of 64 bytes. The hash at n is the sum of table[bytes[n - 1 - k]] << k for k in 0 ..< 64, modulo 2^64.
#ifndef C_BOUNDARY_SCAN_H
#define C_BOUNDARY_SCAN_H

#include <stddef.h>
#include <stdint.h>

enum { boundary_window = 64 };

/// The smallest n in from ..< to for which the hash of bytes[n - 64 ..< n] is below `threshold`; `to` when there is
/// none. `from` is at least 64, and `to - 1` bytes are readable.
size_t boundary_scan(const uint64_t *table, const uint8_t *bytes, size_t from, size_t to, uint64_t threshold);

#endif
