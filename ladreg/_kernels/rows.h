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

/* Products of columns with each other: 512 rows at a time, whose columns begin 520 numbers apart, so that they do not
   compete for the same places of the cache. */
#define TALL_STRIP 512
#define WIDE 520
/* The products of four columns with four, over m rows, to sums[4 k + l]. Costs 16 m. */
INLINE void four_by_four(ptrdiff_t m, const double *restrict a, const double *restrict b, double *restrict out)
{
    double s00 = 0.0, s01 = 0.0, s02 = 0.0, s03 = 0.0, s10 = 0.0, s11 = 0.0, s12 = 0.0, s13 = 0.0;
    double s20 = 0.0, s21 = 0.0, s22 = 0.0, s23 = 0.0, s30 = 0.0, s31 = 0.0, s32 = 0.0, s33 = 0.0;
    for (ptrdiff_t i = 0; i < m; i++) {
        s00 += a[i] * b[i];
        s01 += a[i + 0 * WIDE] * b[i + 1 * WIDE];
        s02 += a[i + 0 * WIDE] * b[i + 2 * WIDE];
        s03 += a[i + 0 * WIDE] * b[i + 3 * WIDE];
        s10 += a[i + 1 * WIDE] * b[i + 0 * WIDE];
        s11 += a[i + 1 * WIDE] * b[i + 1 * WIDE];
        s12 += a[i + 1 * WIDE] * b[i + 2 * WIDE];
        s13 += a[i + 1 * WIDE] * b[i + 3 * WIDE];
        s20 += a[i + 2 * WIDE] * b[i + 0 * WIDE];
        s21 += a[i + 2 * WIDE] * b[i + 1 * WIDE];
        s22 += a[i + 2 * WIDE] * b[i + 2 * WIDE];
        s23 += a[i + 2 * WIDE] * b[i + 3 * WIDE];
        s30 += a[i + 3 * WIDE] * b[i + 0 * WIDE];
        s31 += a[i + 3 * WIDE] * b[i + 1 * WIDE];
        s32 += a[i + 3 * WIDE] * b[i + 2 * WIDE];
        s33 += a[i + 3 * WIDE] * b[i + 3 * WIDE];
    }
    const double sums[16] = {s00, s01, s02, s03, s10, s11, s12, s13, s20, s21, s22, s23, s30, s31, s32, s33};
    for (int k = 0; k < 16; k++)
        out[k] = sums[k];
}

#define T double
#define NAME(x) x##_double
#include "row_pass.h"
#define T float
#define NAME(x) x##_float
#include "row_pass.h"
