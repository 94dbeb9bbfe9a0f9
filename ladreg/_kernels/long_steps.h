/* From one alpha to another by long steps; reference_parametric.py is its specification.

   The state is that of parametric.h. A vertex that is optimal at one alpha is a vertex at another one, where some basic
   duals are outside their intervals, and some slopes beyond their strengths. One of them opens an edge on which the
   objective falls. Along the edge rows change sides and coefficients change signs, while the objective
   still falls (Barrodale and Roberts 1973, doi 10.1137/0710069); where it would rise is the next vertex. From one alpha
   to the next this takes a fraction of the exchanges from knot to knot.

   Only the rows near the fit are followed along edges; the others are held on their side. At a vertex that is optimal
   then, the residuals of all rows are computed: rows on the wrong side change it, are near from there on, and the steps
   go on until there are none. Costs are numbers of multiplications. */
#include "parametric.h"

/* A dual is outside its interval by more than 1e-11 of the interval's length, and more than 1e-15 of the largest basic
   dual (of one, for a slope at unit scale); less is rounding. The perturbation is 1e-9. */
#define OUTSIDE 1e-11
#define ROUNDED 1e-15

/* The slopes that rows which are not basic give all columns, to `fall`; needs `dual` and `slope`. O(size q). */
INLINE void begin_held_slopes(Parametric *s)
{
    for (ptrdiff_t j = 0; j < s->q; j++)
        s->fall[j] = s->slope[j] + s->alpha * s->perturbed.centre[j];
    for (ptrdiff_t k = 0; k < s->size; k++)
        s->rate[k] = -s->dual[s->basis[k]];
    add_multiples(s->size, s->q, s->rows, s->basis, s->rate, s->fall);
}

/* The slope of active column l. */
INLINE double active_slope(const Parametric *s, ptrdiff_t l)
{
    const ptrdiff_t j = s->active[l];
    return s->alpha * s->perturbed.centre[j] + width(s, &s->perturbed, s->alpha, j) * s->sign[l];
}

/* The duals of basic rows, and the slopes of all columns where some are not active. O(size (size + q)), and `size` rows
   are read. */
INLINE void solve_basic_duals(Parametric *s)
{
    for (ptrdiff_t l = 0; l < s->size; l++)
        s->part[l] = active_slope(s, l) - s->fall[s->active[l]];
    times_inverse(s, s->part, s->rate);
    for (ptrdiff_t k = 0; k < s->size; k++)
        s->dual[s->basis[k]] = s->rate[k];
    if (s->size == s->q)
        return;
    for (ptrdiff_t j = 0; j < s->q; j++)
        s->slope[j] = s->fall[j] - s->alpha * s->perturbed.centre[j];
    add_multiples(s->size, s->q, s->rows, s->basis, s->rate, s->slope);
    s->rows_read += s->size;
}

/* 1 + |inverse * (column j in the basic rows)|^2: the squared length of the edge on which column j enters.
   O(size^2). */
INLINE double squared_edge(Parametric *s, ptrdiff_t j)
{
    double total = 1.0;
    for (ptrdiff_t k = 0; k < s->size; k++)
        s->part[k] = s->columns[j * s->n + s->basis[k]];
    for (ptrdiff_t l = 0; l < s->size; l++) {
        const double value = dot(s->size, s->inverse + l * s->room, s->part);
        total += value * value;
    }
    return total;
}

/* The dual or slope outside its interval on whose edge, measured in coefficients, the objective falls fastest; `fall` of
   the event is by how much it is outside. None where the vertex is optimal. Uses `step` and `part`.
   O(size^2) for the rows, and for each column that may be the one. */
INLINE Event farthest_outside(Parametric *s)
{
    Event event = {-1, -1, 0.0, 0.0};
    double steepest = 0.0, largest = 0.0;
    memset(s->step, 0, (size_t)s->size * sizeof(double));
    for (ptrdiff_t l = 0; l < s->size; l++)
        for (ptrdiff_t k = 0; k < s->size; k++)
            s->step[k] += s->inverse[l * s->room + k] * s->inverse[l * s->room + k];
    for (ptrdiff_t k = 0; k < s->size; k++)
        largest = larger(fabs(s->rate[k]), largest);
    for (ptrdiff_t k = 0; k < s->size; k++) {
        const double weight = s->perturbed.weight[s->basis[k]];
        const double above = s->rate[k] - weight * s->upper, below = weight * s->lower - s->rate[k];
        const double beyond = larger(above, below);
        if (beyond > OUTSIDE * weight * (s->upper - s->lower) && beyond > ROUNDED * largest
            && beyond * beyond > steepest * s->step[k]) {
            steepest = beyond * beyond / s->step[k];
            event = (Event){k, -1, above > below ? 1.0 : -1.0, beyond};
        }
    }
    for (ptrdiff_t j = 0; s->size < s->q && j < s->q; j++) {
        const double bound = width(s, &s->perturbed, s->alpha, j);
        const double beyond = (s->kind[j] == POSITIVE ? s->slope[j] : fabs(s->slope[j])) - bound;
        if (s->is_active[j] || s->kind[j] == HIDDEN || !(beyond > OUTSIDE * bound && beyond > ROUNDED)
            || !(beyond * beyond > steepest))
            continue;
        const double speed = beyond * beyond / squared_edge(s, j);
        if (speed > steepest) {
            steepest = speed;
            event = (Event){-1, j, s->slope[j] > 0 ? 1.0 : -1.0, beyond};
        }
    }
    return event;
}

/* Take the rows whose residuals are at most `reach` as near, beside those that are near. O(n). */
INLINE void take_near(Parametric *s)
{
    for (ptrdiff_t i = 0; i < s->n; i++) { /* without a branch */
        const int new = !s->is_near[i] && fabs(s->residual[i]) <= s->reach;
        s->near[s->n_near] = i;
        s->n_near += new;
        s->is_near[i] = (char)(s->is_near[i] | new);
    }
}

/* The `wanted`-th smallest residual to `reach`; infinity where these are half of all rows. O(n). */
INLINE void set_reach(Parametric *s)
{
    const Crossings *c = &s->crossings;
    s->reach = INFINITY;
    if (2 * s->wanted >= s->n)
        return;
    for (ptrdiff_t i = 0; i < s->n; i++) {
        c->when[i] = fabs(s->residual[i]);
        c->rise[i] = 1.0;
        c->row[i] = i;
    }
    s->reach = c->when[first_rising(c, s->n, -(double)s->wanted)];
}

/* Choose the rows within `reach`, which is set anew where these are not about `wanted`. O(n). */
INLINE void choose_near(Parametric *s)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        s->n_near = 0;
        memset(s->is_near, 0, (size_t)s->n);
        take_near(s);
        if (attempt == 0 && s->n_near > s->wanted / 2 && s->n_near < 2 * s->wanted)
            return;
        if (attempt == 0)
            set_reach(s);
    }
}

/* The change of near predictions along the edge, to `move`, by rows or by columns; returns the largest one.
   O(min(n_near q, size n)). */
INLINE double change_near(Parametric *s, const Event *event)
{
    double largest = 1e-300;
    ptrdiff_t k = 0;
    if (s->size * s->n <= s->n_near * s->q) {
        change_predictions(s, event);
    } else {
        const ptrdiff_t q = s->q;
        for (ptrdiff_t l = 0; l < s->size; l++)
            s->wide[s->active[l]] = s->step[l];
        if (event->enters >= 0)
            s->wide[event->enters] = event->sign;
        for (; k + 4 <= s->n_near; k += 4) {
            const ptrdiff_t *i = s->near + k;
            double four[4];
            dot4(q, s->rows + i[0] * q, s->rows + i[1] * q, s->rows + i[2] * q, s->rows + i[3] * q, s->wide, four);
            for (int l = 0; l < 4; l++)
                s->move[i[l]] = four[l];
        }
        for (; k < s->n_near; k++)
            s->move[s->near[k]] = dot(q, s->rows + s->near[k] * q, s->wide);
        for (ptrdiff_t l = 0; l < s->size; l++)
            s->wide[s->active[l]] = 0.0;
        if (event->enters >= 0)
            s->wide[event->enters] = 0.0;
        for (ptrdiff_t l = 0; l < s->size; l++)
            s->move[s->basis[l]] = 0.0;
    }
    for (k = 0; k < s->n_near; k++)
        largest = larger(fabs(s->move[s->near[k]]), largest);
    return largest;
}

/* List where near residuals and active coefficients become zero along the edge, and by how much the objective's slope
   rises there: rows i, and coefficients n + l; returns how many. O(n_near + size). */
INLINE ptrdiff_t list_crossings(Parametric *s, double largest)
{
    const Crossings *c = &s->crossings;
    ptrdiff_t number = 0;
    for (ptrdiff_t k = 0; k < s->n_near; k++) { /* without a branch, which would be mispredicted every other time */
        const ptrdiff_t i = s->near[k];
        const double toward = s->side[i] * s->move[i];
        c->rise[number] = toward;
        c->row[number] = i;
        number += toward > PIVOT * largest;
    }
    for (ptrdiff_t k = 0; k < number; k++) {
        const ptrdiff_t i = c->row[k];
        c->when[k] = larger(s->side[i] * s->residual[i], 0.0) / c->rise[k];
        c->rise[k] *= s->perturbed.weight[i] * (s->upper - s->lower);
    }
    for (ptrdiff_t l = 0; l < s->size; l++)
        largest = larger(fabs(s->step[l]), largest);
    for (ptrdiff_t l = 0; l < s->size; l++) {
        const ptrdiff_t j = s->active[l];
        const double toward = -s->sign[l] * s->step[l];
        if (s->kind[j] != FREE && toward > PIVOT * largest) {
            c->when[number] = larger(s->sign[l] * s->coef[l], 0.0) / toward;
            c->rise[number] = s->kind[j] == POSITIVE ? INFINITY : 2.0 * toward * width(s, &s->perturbed, s->alpha, j);
            c->row[number++] = s->n + l;
        }
    }
    return number;
}

/* Add `part` of a row's weight to its dual. O(q). */
INLINE void add_to_dual(Parametric *s, ptrdiff_t i, double part)
{
    axpy(s->q, part * s->perturbed.weight[i], s->rows + i * s->q, s->fall);
    s->rows_read++;
}

/* A row changes sides, or an active coefficient its sign. O(q). */
INLINE void pass(Parametric *s, ptrdiff_t place)
{
    if (place < s->n) {
        s->side[place] = -s->side[place];
        add_to_dual(s, place, s->side[place] * (s->upper - s->lower));
    } else
        s->sign[place - s->n] = -s->sign[place - s->n];
}

/* Rows that are not near change to the side on which they are, and are near from there on; how many there are.
   O(n), and q for each. */
INLINE ptrdiff_t turn_far_rows(Parametric *s)
{
    ptrdiff_t number = 0;
    for (ptrdiff_t k = 0; k < s->size; k++)
        s->residual[s->basis[k]] = 0.0;
    for (ptrdiff_t i = 0; i < s->n; i++)
        if (!s->is_near[i] && s->side[i] * s->residual[i] < 0.0) {
            pass(s, i);
            s->is_near[i] = 1;
            s->near[s->n_near++] = i;
            number++;
        }
    return number;
}

/* Twice as many rows are near, with those that are. O(n). */
INLINE void widen(Parametric *s)
{
    s->wanted *= 2;
    set_reach(s);
    take_near(s);
}

/* What became of a long step. */
enum { NO_END, TOO_NARROW, TAKEN };

/* One exchange, if a near row or a coefficient ends the edge. O(size^2 + min(n_near q, size n)), and q for each crossing
   that is passed. */
INLINE int long_step(Parametric *s, const Event *event)
{
    const Crossings *c = &s->crossings;
    open_edge(s, event);
    const ptrdiff_t number = list_crossings(s, change_near(s, event));
    const ptrdiff_t passed = first_rising(c, number, -event->fall);
    if (passed == number && s->n_near < s->n)
        return TOO_NARROW;
    if (passed == number)
        return hide(s, event) ? TAKEN : NO_END;
    const ptrdiff_t end = c->row[passed], met = end < s->n ? end : -1, zero = end < s->n ? -1 : end - s->n;
    if (is_full(s, event, met))
        return NO_END;
    for (ptrdiff_t k = 0; k < passed; k++)
        pass(s, c->row[k]);
    if (met >= 0)
        add_to_dual(s, met, -(s->side[met] > 0 ? s->upper : s->lower));
    if (event->leaves >= 0)
        add_to_dual(s, s->basis[event->leaves], event->sign > 0 ? s->upper : s->lower);
    for (ptrdiff_t k = 0; k < s->n_near; k++)
        s->residual[s->near[k]] -= c->when[passed] * s->move[s->near[k]];
    move_coefficients(s, event, c->when[passed]);
    take_vertex(s, event, met, zero);
    return TAKEN;
}

/* Compute the fit from the data; whether rows that are not near were on the wrong side. O(size (n + 3 size)). */
INLINE int turns_rows(Parametric *s)
{
    solve_fit(s);
    return turn_far_rows(s) > 0;
}

/* At most `most` exchanges; an answer is written at each of the alphas. */
CLONES
static int long_steps(Parametric *s, Output *out, ptrdiff_t most)
{
    ptrdiff_t seen = 0; /* exchanges before the fit was computed from the data */
    recompute(s);
    begin_held_slopes(s);
    turn_far_rows(s);
    choose_near(s);
    for (ptrdiff_t done = 0;;) {
        s->alpha = out->alphas[out->count];
        solve_basic_duals(s);
        const Event event = farthest_outside(s);
        const int optimal = event.leaves < 0 && event.enters < 0;
        /* On the way too, as often as all columns may have changed: few rows alone lead far off. */
        if (s->n_near < s->n && s->n_exchanges - seen >= (optimal ? 1 : s->q)) {
            seen = s->n_exchanges;
            if (turns_rows(s)) {
                widen(s);
                continue;
            }
        }
        if (optimal) {
            write_answer(s, out, s->alpha);
            if (out->count == out->room)
                return ALL_SOLVED;
            choose_near(s);
        } else if (done++ == most) {
            return BURST_OVER;
        } else {
            const int what = long_step(s, &event);
            if (what == NO_END)
                return NO_PIVOT;
            if (what == TOO_NARROW) {
                turns_rows(s);
                widen(s);
            }
        }
    }
}
