/* Passes over the rows of a dense table, compiled for float and double. */
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

/* Rows of a strip, of one whose columns are contiguous, and columns of a short row. */
#define STRIP 256
#define LONG_STRIP 2048
#define SHORT_ROW 24
enum { FORWARD = 1, SIDES = 2, BACKWARD = 4, SIZES = 8, SHIFTED = 16 };
#define V(j) (flags & SHIFTED ? shift[j] : 0.0)

#define T double
#define NAME(x) x##_double
#include "walk.h"
#define T float
#define NAME(x) x##_float
#include "walk.h"
