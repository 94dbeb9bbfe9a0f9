/* Compiler attributes, assertions, and the vector products of all kernels.

   Needs: contiguous vectors of n >= 0 entries; what is written overlaps nothing else.
   Owns: nothing; no routine allocates.
   Costs are numbers of multiplications. */
#ifndef LADREG_COMPILER_H
#define LADREG_COMPILER_H
#include <math.h>
#include <stddef.h>

/* CLONES: compile a function for AVX-512, AVX2 and the base instruction set; the version is chosen when the module is
   loaded. Not with AddressSanitizer, which is not initialised yet at that moment. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif
#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
/* KEEP_ORDER: stop the compiler from swapping the loops over rows and columns, which would read a table with contiguous
   rows from memory once per column. */
#define KEEP_ORDER __asm__ volatile("" ::: "memory")
#else
#define INLINE static inline
#define KEEP_ORDER
#endif
#if defined(_MSC_VER) && !defined(__clang__)
#define restrict __restrict /* not a keyword of its default C */
#endif

/* LADREG_ASSERT(condition): end the process if an invariant does not hold. Checked in builds with -DLADREG_DEBUG only;
   elsewhere the condition is not evaluated. */
#ifdef LADREG_DEBUG
#include <stdio.h>
#include <stdlib.h>
INLINE void ladreg_fail(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: not true: %s\n", file, line, condition);
    abort();
}
#define LADREG_ASSERT(condition) ((condition) ? (void)0 : ladreg_fail(#condition, __FILE__, __LINE__))
#else
#define LADREG_ASSERT(condition) ((void)0)
#endif

/* Numbers that decide how fast a routine is, and not what it finds. Builds with -DLADREG_TIMES=4 or -DLADREG_OVER=4
   take four times or a quarter of each, and must find the same. */
#ifndef LADREG_TIMES
#define LADREG_TIMES 1
#endif
#ifndef LADREG_OVER
#define LADREG_OVER 1
#endif
#define SPEED(number) ((number) * LADREG_TIMES / LADREG_OVER)

/* a'b. Costs n. */
INLINE double dot(ptrdiff_t n, const double *restrict a, const double *restrict b)
{
    double total = 0.0;
    for (ptrdiff_t i = 0; i < n; i++)
        total += a[i] * b[i];
    return total;
}

/* x'a to *with_a and x'b to *with_b, with one read of x. Costs 2 n. */
INLINE void dot2(ptrdiff_t n, const double *restrict x, const double *restrict a, const double *restrict b,
                 double *restrict with_a, double *restrict with_b)
{
    double s = 0.0, t = 0.0;
    for (ptrdiff_t i = 0; i < n; i++) {
        s += x[i] * a[i];
        t += x[i] * b[i];
    }
    *with_a = s;
    *with_b = t;
}

/* The products of a0, a1, a2 and a3 with b to totals[0 .. 3], with one read of b. Costs 4 n. */
INLINE void dot4(ptrdiff_t n, const double *restrict a0, const double *restrict a1, const double *restrict a2,
                 const double *restrict a3, const double *restrict b, double *restrict totals)
{
    double t0 = 0.0, t1 = 0.0, t2 = 0.0, t3 = 0.0;
    for (ptrdiff_t i = 0; i < n; i++) {
        t0 += a0[i] * b[i];
        t1 += a1[i] * b[i];
        t2 += a2[i] * b[i];
        t3 += a3[i] * b[i];
    }
    totals[0] = t0;
    totals[1] = t1;
    totals[2] = t2;
    totals[3] = t3;
}

/* The products of `number` columns, stored one after the other, with a vector. Costs number * n. */
INLINE void multiply(ptrdiff_t number, ptrdiff_t n, const double *columns, const double *vector, double *products)
{
    ptrdiff_t k = 0;
    for (; k + 4 <= number; k += 4) {
        const double *four = columns + k * n;
        dot4(n, four, four + n, four + 2 * n, four + 3 * n, vector, products + k);
    }
    for (; k < number; k++)
        products[k] = dot(n, columns + k * n, vector);
}

/* y += move * x; x and y do not overlap. Costs n. */
INLINE void axpy(ptrdiff_t n, double move, const double *restrict x, double *restrict y)
{
    for (ptrdiff_t i = 0; i < n; i++)
        y[i] += move * x[i];
}

/* y += m0 * x0 + m1 * x1 + m2 * x2 + m3 * x3, with one write of y, which overlaps no x. Costs 4 n. */
INLINE void axpy4(ptrdiff_t n, double m0, double m1, double m2, double m3, const double *restrict x0,
                  const double *restrict x1, const double *restrict x2, const double *restrict x3, double *restrict y)
{
    for (ptrdiff_t i = 0; i < n; i++)
        y[i] += (m0 * x0[i] + m1 * x1[i]) + (m2 * x2[i] + m3 * x3[i]);
}

/* Test 32 slopes at once for one that is not below its bound, since most slopes are below theirs. */
#define TOGETHER 32

/* The slope that is compared with the strength: |slope|, or max(slope, 0) if `positive`. */
INLINE double counted(double slope, int positive)
{
    return !positive ? fabs(slope) : slope < 0.0 ? 0.0 : slope; /* NaN stays */
}

/* Whether any of TOGETHER counted slopes is not below edge * strength; NaN is not below. Both need TOGETHER entries. */
INLINE int any_above(const double *restrict slope, const double *restrict strength, double edge, int positive)
{
    int any = 0;
    if (positive)
        for (int l = 0; l < TOGETHER; l++)
            any |= !(slope[l] < edge * strength[l]);
    else
        for (int l = 0; l < TOGETHER; l++)
            any |= !(fabs(slope[l]) < edge * strength[l]);
    return any;
}
#endif
