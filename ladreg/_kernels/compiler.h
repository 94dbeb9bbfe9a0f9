/* What the kernels ask of the compiler. */
#ifndef LADREG_COMPILER_H
#define LADREG_COMPILER_H
#include <math.h>
#include <stddef.h>

/* The processor's widest vectors are chosen when the module is loaded, not when it is compiled. AddressSanitizer is not
   yet awake at that moment. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif
#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
/* Compilers like to swap loops over rows and columns, which is wrong for a table that is read from memory. */
#define KEEP_ORDER __asm__ volatile("" ::: "memory")
#else
#define INLINE static inline
#define KEEP_ORDER
#endif

INLINE double dot(ptrdiff_t n, const double *restrict a, const double *restrict b)
{
    double total = 0.0;
    for (ptrdiff_t i = 0; i < n; i++)
        total += a[i] * b[i];
    return total;
}

/* y += move * x */
INLINE void axpy(ptrdiff_t n, double move, const double *restrict x, double *restrict y)
{
    for (ptrdiff_t i = 0; i < n; i++)
        y[i] += move * x[i];
}
#endif
