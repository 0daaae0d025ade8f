#include "CBoundaryScan.h"
