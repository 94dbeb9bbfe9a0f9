/* Passes over the rows of a dense table, compiled for float and double. */
#include "compiler.h"

/* Rows of a strip, of one whose columns are contiguous, and columns of a short row. */
#define STRIP 256
#define LONG_STRIP 2048
#define SHORT_ROW 24
enum { FORWARD = 1, SIDES = 2, BACKWARD = 4, SIZES = 8, SHIFTED = 16 };
#define V(j) (flags & SHIFTED ? shift[j] : 0.0)

#define T double
#define NAME(x) x##_double
#include "row_pass.h"
#define T float
#define NAME(x) x##_float
#include "row_pass.h"
