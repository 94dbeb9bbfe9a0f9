/* Where a step ends on which a piecewise linear objective falls.

   Needs: arrays that overlap no other. Owns: nothing; no routine allocates. Costs are numbers of operations. */
#ifndef LADREG_CROSSINGS_H
#define LADREG_CROSSINGS_H
#include "compiler.h"

/* What crosses zero along a step: how long the step is then, by how much the slope of the objective rises there, and
   which row it is. Work space of as many entries as there are rows. */
typedef struct {
    double *when, *rise;
    ptrdiff_t *row;
} Crossings;

INLINE void swap(const Crossings *c, ptrdiff_t a, ptrdiff_t b)
{
    const double when = c->when[a], rise = c->rise[a];
    const ptrdiff_t row = c->row[a];
    c->when[a] = c->when[b], c->rise[a] = c->rise[b], c->row[a] = c->row[b];
    c->when[b] = when, c->rise[b] = rise, c->row[b] = row;
}

/* The place of the first crossing, in the order of `when` and then of `row`, up to which the rises sum to at least
   `slope` below zero; those before it come first. Returns `count` where there is none. Costs O(count). */
INLINE ptrdiff_t first_rising(const Crossings *c, ptrdiff_t count, double slope)
{
    ptrdiff_t low = 0, high = count;
    while (low < high) {
        double sum = 0.0;
        ptrdiff_t less = low;
        swap(c, low + (high - low) / 2, high - 1);
        const double when = c->when[high - 1];
        const ptrdiff_t row = c->row[high - 1];
        for (ptrdiff_t k = low; k < high - 1; k++)
            if (c->when[k] < when || (c->when[k] == when && c->row[k] < row)) {
                sum += c->rise[k];
                swap(c, k, less++);
            }
        swap(c, less, high - 1);
        if (slope + sum >= 0.0) {
            high = less;
        } else {
            slope += sum + c->rise[less];
            if (slope >= 0.0)
                return less;
            low = less + 1;
        }
    }
    return low;
}
#endif
