/* Ratios of slopes to strengths; `largest_parts` and `reaching` in reference.py are the specification.

   A block of TOGETHER features, all of them below the bound, is skipped after one test.

   Needs: p >= 1 slopes and strengths; strengths >= 0, infinity among them.
   Owns: nothing. The caller allocates all arrays and frees them; no routine allocates.
   Costs are numbers of divisions or multiplications, and reads of the slopes. */
#include "compiler.h"

/* The largest counted slope / strength of p features, and the feature in *where (0 if all slopes are zero). A ratio of
   NaN is the largest. Costs p divisions at most, one read of slope and strength. */
CLONES static double largest_part(ptrdiff_t p, const double *slope, const double *strength, int positive,
                                  ptrdiff_t *where)
{
    double largest = 0.0;
    *where = 0;
    for (ptrdiff_t begin = 0; begin < p; begin += TOGETHER) {
        const ptrdiff_t end = p - begin < TOGETHER ? p : begin + TOGETHER;
        if (end - begin == TOGETHER && !any_above(slope + begin, strength + begin, largest, positive))
            continue;
        for (ptrdiff_t j = begin; j < end; j++) {
            const double part = counted(slope[j], positive) / strength[j];
            if (part <= largest)
                continue;
            largest = part;
            *where = j;
            if (isnan(part))
                return part;
        }
    }
    return largest;
}

/* The number of features with counted slope >= edge * strength among p; the first `room` of them are written to
   `features`, ascending. `features` may be NULL if `room` is 0. Costs 2 p at most, one read of slope and
   strength. */
CLONES static ptrdiff_t reaching(ptrdiff_t p, const double *slope, const double *strength, int positive, double edge,
                                 ptrdiff_t room, ptrdiff_t *features)
{
    ptrdiff_t count = 0;
    for (ptrdiff_t begin = 0; begin < p; begin += TOGETHER) {
        const ptrdiff_t end = p - begin < TOGETHER ? p : begin + TOGETHER;
        if (end - begin == TOGETHER && !any_above(slope + begin, strength + begin, edge, positive))
            continue;
        for (ptrdiff_t j = begin; j < end; j++)
            if (counted(slope[j], positive) >= edge * strength[j]) {
                if (count < room)
                    features[count] = j;
                count++;
            }
    }
    return count;
}
