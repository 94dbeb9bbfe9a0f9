/* Passes over the rows of a dense table, compiled for float and double. */
#include "compiler.h"

/* Contiguous rows: sum 256 rows before the sum joins the total. */
#define STRIP 256
/* Contiguous columns: process 2048 rows at a time, whose vectors (16 kB each) stay in the cache. */
#define LONG_STRIP 2048
/* Process four rows at once if they have at most 24 columns. */
#define SHORT_ROW 24
enum { FORWARD = 1, SIDES = 2, BACKWARD = 4, SIZES = 8, SHIFTED = 16 };
#define V(j) (flags & SHIFTED ? shift[j] : 0.0)
/* The place of column j in an array that may be NULL. */
#define AT(values) ((values) ? (values) + j : NULL)

#define T double
#define NAME(x) x##_double
#include "row_pass.h"
#define T float
#define NAME(x) x##_float
#include "row_pass.h"
