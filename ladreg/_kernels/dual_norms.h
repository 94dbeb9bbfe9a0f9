/* What slopes take of their strength; `largest_parts` and `reaching` in reference.py are the specification.

   Most features are out of question: a few are asked together whether any of them is not. */
#include "compiler.h"

/* Of one row: the largest part of a strength, and where it is. */
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

/* Where slopes reach a part of their strength, in one row; how many, of which `room` are written. */
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
