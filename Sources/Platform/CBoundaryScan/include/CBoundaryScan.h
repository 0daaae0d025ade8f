#ifndef C_BOUNDARY_SCAN_H
#define C_BOUNDARY_SCAN_H
#endif
