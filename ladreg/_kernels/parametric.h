/* The path of a penalised piecewise linear problem from knot to knot; `parametric` in reference.py is its specification.

   Minimise sum_i weight_i * rho(y_i - x_i'b) + sum_j width_j |b_j| + alpha * sum_j centre_j b_j while alpha falls,
   where rho has slopes `lower` and `upper`, and width_j is strength_j, times alpha where it is `widening`: the path of
   a penalty, or with alpha = 1 - tau, slopes 0 and 1 and centre = X'weight that of a quantile tau. The state is a
   vertex: `size` basic rows with residual zero and as many active columns, whose square matrix M has the inverse
   `inverse` (row l for active column l, column k for basic row k). Between knots the coefficients do not change, and
   the duals of the basic rows and the slopes of the columns are linear in alpha. At a knot either a basic dual reaches
   an end of its interval or the slope of a column, less alpha * centre_j, its width. Then the coefficients move along
   an edge, on which the objective is constant, to the next vertex: where a row is met, or an active coefficient is
   zero. Targets, weights and strengths are perturbed, so that vertices are not degenerate; the answers that are written
   are those of the basis for the data as given, duals of a quantile less alpha times the weights. Costs are numbers of
   multiplications. */
#include "compiler.h"
#include "crossings.h"
#include <string.h>

/* A rate of at most 1e-9 times the largest one is rounding: it ends no step, and no pivot is smaller. */
#define PIVOT 1e-9
/* A rate of a dual or a slope of at most 1e-12 times the largest one is rounding. */
#define STILL 1e-12
/* Give up after 100 + 4 size exchanges in which alpha falls by at most 1e-14 of itself. */
#define NO_FALL 1e-14

/* Kinds of columns: penalised, penalised with coefficients >= 0, free, and left out. */
enum { PENALISED, POSITIVE, FREE, HIDDEN };
/* Why the kernel stopped. */
enum { ALL_SOLVED, NO_ROOM, BURST_OVER, NO_PIVOT };

/* Targets, weights, strengths and centres: as given, or perturbed. */
typedef struct {
    const double *y, *weight, *strength, *centre;
} Data;

typedef struct {
    ptrdiff_t n, q, room;          /* rows, columns, and the largest size of the basis, which is the stride of `inverse` */
    const double *rows, *columns;  /* the table row by row and column by column */
    Data given, perturbed;
    double lower, upper;           /* slopes of the loss */
    double widening;               /* 1 where widths are strengths times alpha, 0 where they are strengths */
    ptrdiff_t *kind;               /* per column */
    ptrdiff_t size, *basis, *active;
    double *sign, *inverse;        /* signs of the active coefficients */
    double *side;                  /* per row: 1 above the fit, -1 below, 0 basic */
    double alpha;
    ptrdiff_t n_exchanges, rows_read;
    /* Of the perturbed problem; `coef` in the order of `active`, slopes less alpha * centre. */
    double *coef, *dual, *residual, *slope;
    double *rate, *fall, *step, *move, *part; /* work space: room, q, room, n and room numbers */
    Crossings crossings;           /* work space of long steps: n + room entries */
    char *is_active;               /* per column */
    /* Of long steps: how many rows are to be near the fit, those that are, which these are, how large their residuals
       were, and a vector of q numbers, zero between two uses. */
    ptrdiff_t wanted, n_near, *near;
    char *is_near;
    double reach, *wide;
} Parametric;

/* An event: basic row `leaves` (or -1) or column `enters` (or -1), the sign, and by how much alpha falls before it. */
typedef struct {
    ptrdiff_t leaves, enters;
    double sign, fall;
} Event;

/* The larger one, b where a is NaN; unlike fmax this is no call of a function. */
INLINE double larger(double a, double b)
{
    return a > b ? a : b;
}

/* The width of a column at `alpha`. */
INLINE double width(const Parametric *s, const Data *data, double alpha, ptrdiff_t j)
{
    return data->strength[j] * (s->widening ? alpha : 1.0);
}

/* How fast the slope of active column l changes with alpha. */
INLINE double active_rate(const Parametric *s, const Data *data, ptrdiff_t l)
{
    const ptrdiff_t j = s->active[l];
    return data->centre[j] + s->widening * data->strength[j] * s->sign[l];
}

/* values'inverse to `product`, four rows at a time. O(size^2). */
INLINE void times_inverse(const Parametric *s, const double *restrict values, double *restrict product)
{
    const ptrdiff_t m = s->room;
    ptrdiff_t l = 0;
    memset(product, 0, (size_t)s->size * sizeof(double));
    for (; l + 4 <= s->size; l += 4) {
        const double *row = s->inverse + l * m;
        axpy4(s->size, values[l], values[l + 1], values[l + 2], values[l + 3], row, row + m, row + 2 * m, row + 3 * m,
              product);
    }
    for (; l < s->size; l++)
        axpy(s->size, values[l], s->inverse + l * m, product);
}

/* inverse * values to `product`. O(size^2). */
INLINE void inverse_times(const Parametric *s, const double *restrict values, double *restrict product)
{
    for (ptrdiff_t l = 0; l < s->size; l++)
        product[l] = dot(s->size, s->inverse + l * s->room, values);
}

/* y += sum of multiples of `number` vectors of length n, `chosen` from `table`. O(number * n). */
INLINE void add_multiples(ptrdiff_t number, ptrdiff_t n, const double *restrict table, const ptrdiff_t *restrict chosen,
                          const double *restrict multiple, double *restrict y)
{
    ptrdiff_t k = 0;
    for (; k + 4 <= number; k += 4)
        axpy4(n, multiple[k], multiple[k + 1], multiple[k + 2], multiple[k + 3], table + chosen[k] * n,
              table + chosen[k + 1] * n, table + chosen[k + 2] * n, table + chosen[k + 3] * n, y);
    for (; k < number; k++)
        axpy(n, multiple[k], table + chosen[k] * n, y);
}

/* The coefficients for which the basic rows have residual zero, refined once, to `coef`. Uses `step` and `part`.
   O(3 size^2). */
INLINE void solve_coefficients(Parametric *s, const Data *data, double *restrict coef)
{
    for (ptrdiff_t k = 0; k < s->size; k++)
        s->part[k] = data->y[s->basis[k]];
    inverse_times(s, s->part, coef);
    for (ptrdiff_t k = 0; k < s->size; k++) {
        const double *row = s->rows + s->basis[k] * s->q;
        for (ptrdiff_t l = 0; l < s->size; l++)
            s->part[k] -= row[s->active[l]] * coef[l];
    }
    inverse_times(s, s->part, s->step);
    for (ptrdiff_t l = 0; l < s->size; l++)
        coef[l] += s->step[l];
}

/* The part of alpha by which slopes of the loss are shifted: all of it along quantiles, where a dual less alpha times
   its weight is one of the quantile 1 - alpha. */
INLINE double shift(const Parametric *s, double alpha)
{
    return (1.0 - s->widening) * alpha;
}

/* The shifted dual of a row at the upper or the lower end of its interval. */
INLINE double end_of(const Parametric *s, const Data *data, double alpha, ptrdiff_t i, double side)
{
    return data->weight[i] * ((side > 0 ? s->upper : s->lower) - shift(s, alpha));
}

/* Shifted duals: rows at the end of their side, zero for basic rows. O(n). */
INLINE void put_at_ends(const Parametric *s, const Data *data, double alpha, double *restrict dual)
{
    for (ptrdiff_t i = 0; i < s->n; i++)
        dual[i] = s->side[i] == 0.0 ? 0.0 : end_of(s, data, alpha, i, s->side[i]);
}

/* The shifted dual at `alpha`, whose products with columns are slopes less alpha * centre: as a difference of the two
   they would have the rounding of sums that are 1 / strength times as large. Rows are at the end of their side, and
   basic rows so that active slopes are at their width, refined once. Uses `step` and `part`. O(size (n + 3 size)). */
INLINE void solve_dual(Parametric *s, const Data *data, double alpha, double *restrict dual)
{
    put_at_ends(s, data, alpha, dual);
    for (ptrdiff_t l = 0; l < s->size; l++) {
        const ptrdiff_t j = s->active[l];
        s->part[l] = width(s, data, alpha, j) * s->sign[l] - dot(s->n, s->columns + j * s->n, dual);
    }
    times_inverse(s, s->part, s->step);
    for (ptrdiff_t k = 0; k < s->size; k++) {
        const double *row = s->rows + s->basis[k] * s->q;
        for (ptrdiff_t l = 0; l < s->size; l++)
            s->part[l] -= row[s->active[l]] * s->step[k];
        dual[s->basis[k]] = s->step[k];
    }
    times_inverse(s, s->part, s->step);
    for (ptrdiff_t k = 0; k < s->size; k++)
        dual[s->basis[k]] += s->step[k];
}

/* Coefficients and residuals of the perturbed problem, from the data. Uses `step` and `part`. O(size (n + 3 size)). */
INLINE void solve_fit(Parametric *s)
{
    solve_coefficients(s, &s->perturbed, s->coef);
    memcpy(s->residual, s->perturbed.y, (size_t)s->n * sizeof(double));
    for (ptrdiff_t l = 0; l < s->size; l++)
        s->step[l] = -s->coef[l];
    add_multiples(s->size, s->n, s->columns, s->active, s->step, s->residual);
}

/* Coefficients, residuals, dual and slopes of the perturbed problem, from the data. O(n q + size (2 n + 6 size)). */
INLINE void recompute(Parametric *s)
{
    solve_fit(s);
    solve_dual(s, &s->perturbed, s->alpha, s->dual);
    for (ptrdiff_t j = 0; j < s->q; j++)
        s->slope[j] = dot(s->n, s->columns + j * s->n, s->dual);
    axpy(s->n, shift(s, s->alpha), s->perturbed.weight, s->dual);
}

/* The next event, from the rates at which basic duals (to `rate`) and slopes (to `fall`) change while alpha falls.
   O(size (size + q)), and `size` rows are read. */
INLINE Event next_event(Parametric *s)
{
    Event event = {-1, -1, 0.0, INFINITY};
    double largest = 0.0;
    for (ptrdiff_t l = 0; l < s->size; l++)
        s->part[l] = active_rate(s, &s->perturbed, l);
    times_inverse(s, s->part, s->rate);
    for (ptrdiff_t j = 0; j < s->q; j++)
        s->fall[j] = -s->perturbed.centre[j];
    add_multiples(s->size, s->q, s->rows, s->basis, s->rate, s->fall);
    s->rows_read += s->size;
    for (ptrdiff_t k = 0; k < s->size; k++)
        largest = larger(fabs(s->rate[k]), largest);
    for (ptrdiff_t k = 0; k < s->size; k++) {
        const ptrdiff_t i = s->basis[k];
        const double rate = s->rate[k], weight = s->perturbed.weight[i];
        double when;
        if (!(fabs(rate) > STILL * largest))
            continue;
        when = larger(rate > 0 ? s->dual[i] - weight * s->lower : weight * s->upper - s->dual[i], 0.0) / fabs(rate);
        if (when < event.fall)
            event = (Event){k, -1, rate > 0 ? -1.0 : 1.0, when};
    }
    for (ptrdiff_t j = 0; j < s->q; j++) {
        const double strength = s->widening * s->perturbed.strength[j], bound = width(s, &s->perturbed, s->alpha, j);
        if (s->is_active[j] || s->kind[j] == HIDDEN)
            continue;
        const double least = STILL * (strength + fabs(s->fall[j]) + fabs(s->perturbed.centre[j]));
        if (strength - s->fall[j] > least) {
            const double when = larger(bound - s->slope[j], 0.0) / (strength - s->fall[j]);
            if (when < event.fall)
                event = (Event){-1, j, 1.0, when};
        }
        if (s->kind[j] != POSITIVE && strength + s->fall[j] > least) {
            const double when = larger(bound + s->slope[j], 0.0) / (strength + s->fall[j]);
            if (when < event.fall)
                event = (Event){-1, j, -1.0, when};
        }
    }
    return event;
}

/* The edge that an event opens: the change of the active coefficients to `step`. O(size^2). */
INLINE void open_edge(Parametric *s, const Event *event)
{
    if (event->leaves >= 0) {
        for (ptrdiff_t l = 0; l < s->size; l++)
            s->step[l] = -event->sign * s->inverse[l * s->room + event->leaves];
    } else {
        for (ptrdiff_t k = 0; k < s->size; k++)
            s->part[k] = -event->sign * s->columns[event->enters * s->n + s->basis[k]];
        inverse_times(s, s->part, s->step);
    }
}

/* The change of all predictions along the edge, to `move`; returns the largest one. O(size n). */
INLINE double change_predictions(Parametric *s, const Event *event)
{
    double largest = 1e-300;
    memset(s->move, 0, (size_t)s->n * sizeof(double));
    add_multiples(s->size, s->n, s->columns, s->active, s->step, s->move);
    if (event->enters >= 0)
        axpy(s->n, event->sign, s->columns + event->enters * s->n, s->move);
    for (ptrdiff_t k = 0; k < s->size; k++)
        s->move[s->basis[k]] = 0.0;
    for (ptrdiff_t i = 0; i < s->n; i++)
        largest = larger(fabs(s->move[i]), largest);
    return largest;
}

/* Go along the edge, after the residuals. O(size). */
INLINE void move_coefficients(Parametric *s, const Event *event, double length)
{
    axpy(s->size, length, s->step, s->coef);
    if (event->leaves >= 0) /* its residual grows from zero at rate one */
        s->residual[s->basis[event->leaves]] = event->sign * length;
    if (event->enters >= 0)
        s->part[0] = event->sign * length; /* its coefficient */
}

/* Go down to the event, and along the edge to the next vertex; returns the row that is met, or -1, and the place of the
   coefficient that becomes zero in `zero`, or -1. O(size (n + size)). */
INLINE ptrdiff_t move_to_next_vertex(Parametric *s, const Event *event, ptrdiff_t *zero)
{
    double largest, length = INFINITY;
    ptrdiff_t met = -1;
    for (ptrdiff_t k = 0; k < s->size; k++)
        s->dual[s->basis[k]] -= event->fall * s->rate[k];
    axpy(s->q, -event->fall, s->fall, s->slope);
    s->alpha -= event->fall;
    if (event->leaves >= 0) {
        const ptrdiff_t i = s->basis[event->leaves];
        s->dual[i] = s->perturbed.weight[i] * (event->sign > 0 ? s->upper : s->lower);
    }
    open_edge(s, event);
    largest = change_predictions(s, event);
    /* The residuals change by -move. */
    for (ptrdiff_t i = 0; i < s->n; i++) {
        const double toward = s->side[i] * s->move[i];
        if (toward > PIVOT * largest) {
            const double when = larger(s->side[i] * s->residual[i], 0.0) / toward;
            if (when < length) {
                length = when;
                met = i;
            }
        }
    }
    *zero = -1;
    for (ptrdiff_t l = 0; l < s->size; l++)
        largest = larger(fabs(s->step[l]), largest);
    for (ptrdiff_t l = 0; l < s->size; l++) {
        const double toward = -s->sign[l] * s->step[l];
        if (s->kind[s->active[l]] != FREE && toward > PIVOT * largest) {
            const double when = larger(s->sign[l] * s->coef[l], 0.0) / toward;
            if (when < length) {
                length = when;
                *zero = l;
                met = -1;
            }
        }
    }
    if (met >= 0 || *zero >= 0) {
        axpy(s->n, -length, s->move, s->residual);
        move_coefficients(s, event, length);
    }
    return met;
}

/* Basic row k is replaced by row i. O(2 size^2). */
INLINE void replace_row(Parametric *s, ptrdiff_t k, ptrdiff_t i)
{
    const ptrdiff_t size = s->size, m = s->room;
    for (ptrdiff_t l = 0; l < size; l++)
        s->part[l] = s->rows[i * s->q + s->active[l]];
    times_inverse(s, s->part, s->step);
    for (ptrdiff_t l = 0; l < size; l++) {
        const double value = s->inverse[l * m + k] / s->step[k];
        axpy(size, -value, s->step, s->inverse + l * m);
        s->inverse[l * m + k] = value;
    }
    s->basis[k] = i;
}

/* Active column l is replaced by column j, whose edge is in `step`. O(size^2). */
INLINE void replace_column(Parametric *s, ptrdiff_t l, ptrdiff_t j, double sign, double value)
{
    const ptrdiff_t size = s->size, m = s->room;
    /* The edge is -sign times the column's coefficients in the active columns. */
    for (ptrdiff_t k = 0; k < size; k++)
        s->inverse[l * m + k] *= -sign / s->step[l];
    for (ptrdiff_t o = 0; o < size; o++)
        if (o != l)
            axpy(size, sign * s->step[o], s->inverse + l * m, s->inverse + o * m);
    s->is_active[s->active[l]] = 0;
    s->is_active[j] = 1;
    s->active[l] = j;
    s->sign[l] = sign;
    s->coef[l] = value;
}

/* Row i and column j are added; the edge of column j is in `step`. O(2 size^2). */
INLINE void grow(Parametric *s, ptrdiff_t i, ptrdiff_t j, double sign, double value)
{
    const ptrdiff_t size = s->size, m = s->room;
    const double *row = s->rows + i * s->q;
    double corner = row[j];
    for (ptrdiff_t l = 0; l < size; l++) {
        s->step[l] *= -sign; /* the column's coefficients in the active columns */
        s->move[l] = row[s->active[l]];
        corner -= s->move[l] * s->step[l];
    }
    times_inverse(s, s->move, s->part);
    for (ptrdiff_t l = 0; l < size; l++) {
        axpy(size, s->step[l] / corner, s->part, s->inverse + l * m);
        s->inverse[l * m + size] = -s->step[l] / corner;
    }
    for (ptrdiff_t k = 0; k < size; k++)
        s->inverse[size * m + k] = -s->part[k] / corner;
    s->inverse[size * m + size] = 1.0 / corner;
    s->basis[size] = i;
    s->active[size] = j;
    s->is_active[j] = 1;
    s->sign[size] = sign;
    s->coef[size] = value;
    s->size++;
}

/* Basic row k and active column l are removed. O(size^2). */
INLINE void shrink(Parametric *s, ptrdiff_t k, ptrdiff_t l)
{
    const ptrdiff_t m = s->room, last = s->size - 1;
    const double *gone = s->inverse + l * m;
    for (ptrdiff_t o = 0; o <= last; o++)
        if (o != l)
            axpy(s->size, -s->inverse[o * m + k] / gone[k], gone, s->inverse + o * m);
    s->is_active[s->active[l]] = 0;
    if (l != last) {
        memcpy(s->inverse + l * m, s->inverse + last * m, (size_t)s->size * sizeof(double));
        s->active[l] = s->active[last];
        s->sign[l] = s->sign[last];
        s->coef[l] = s->coef[last];
    }
    for (ptrdiff_t o = 0; o < last; o++)
        s->inverse[o * m + k] = s->inverse[o * m + last];
    s->basis[k] = s->basis[last];
    s->size--;
}

/* The exchange at the end of an edge: row `met` becomes basic, or the active coefficient at `zero` becomes zero.
   O(3 size^2). */
INLINE void take_vertex(Parametric *s, const Event *event, ptrdiff_t met, ptrdiff_t zero)
{
    const double value = s->part[0];
    if (event->leaves >= 0)
        s->side[s->basis[event->leaves]] = event->sign;
    if (met >= 0) {
        s->side[met] = 0.0;
        s->residual[met] = 0.0;
    }
    if (event->leaves >= 0 && met >= 0)
        replace_row(s, event->leaves, met);
    else if (event->leaves >= 0)
        shrink(s, event->leaves, zero);
    else if (met >= 0)
        grow(s, met, event->enters, event->sign, value);
    else
        replace_column(s, zero, event->enters, event->sign, value);
    s->n_exchanges++;
}

/* Where an edge has no end: hide a free column that depends on the active ones, whose slope is zero whatever alpha is;
   whether there was one. */
INLINE int hide(Parametric *s, const Event *event)
{
    if (event->enters < 0 || s->kind[event->enters] != FREE)
        return 0;
    s->kind[event->enters] = HIDDEN;
    return 1;
}

/* Whether the basis has no room for what an edge brings: only where the vertex to begin with is none, since a basic row
   or an active column is there twice. */
INLINE int is_full(const Parametric *s, const Event *event, ptrdiff_t met)
{
    return event->leaves < 0 && met >= 0 && s->size == s->room;
}

/* One exchange; whether there was one. O(size (n + 3 size)). */
INLINE int exchange(Parametric *s, const Event *event)
{
    ptrdiff_t zero;
    const ptrdiff_t met = move_to_next_vertex(s, event, &zero);
    if (met < 0 && zero < 0)
        return hide(s, event);
    if (is_full(s, event, met))
        return 0;
    if (met < 0) { /* its slope is at its width */
        const ptrdiff_t j = s->active[zero];
        s->slope[j] = width(s, &s->perturbed, s->alpha, j) * s->sign[zero];
    }
    take_vertex(s, event, met, zero);
    return 1;
}

/* Where answers go: one row of `coef` (q numbers) and `dual` (n) each, the size of the basis, and how many exchanges were
   made and rows read before. */
typedef struct {
    ptrdiff_t room, count;
    const double *alphas;
    double *knots, *coef, *dual;
    ptrdiff_t *size, *exchanges, *read;
} Output;

/* Write the coefficients for the data as given. Uses `move`, `step` and `part`. O(3 size^2 + q). */
INLINE void write_coefficients(Parametric *s, Output *out)
{
    double *coef = out->coef + out->count * s->q;
    memset(coef, 0, (size_t)s->q * sizeof(double));
    solve_coefficients(s, &s->given, s->move);
    for (ptrdiff_t l = 0; l < s->size; l++)
        coef[s->active[l]] = s->move[l];
    out->size[out->count] = s->size;
    out->exchanges[out->count] = s->n_exchanges;
    out->read[out->count] = s->rows_read;
}

/* Write the answer at `alpha` for the data as given. Uses `move`, `step` and `part`. O(size (n + 6 size) + q). */
INLINE void write_answer(Parametric *s, Output *out, double alpha)
{
    write_coefficients(s, out);
    solve_dual(s, &s->given, alpha, out->dual + out->count * s->n);
    out->count++;
}

/* How far above `near` the alpha of an event is for the data as given, whose shifted dual at `near` is given; how fast
   basic duals rise with alpha to `move`. Uses `part`. O(size^2 + n). */
INLINE double distance_to(Parametric *s, const Event *event, double near, const double *restrict dual)
{
    const Data *data = &s->given;
    for (ptrdiff_t l = 0; l < s->size; l++)
        s->part[l] = active_rate(s, data, l);
    times_inverse(s, s->part, s->move);
    if (event->leaves >= 0) {
        const ptrdiff_t i = s->basis[event->leaves];
        return (end_of(s, data, near, i, event->sign) - dual[i]) / s->move[event->leaves];
    }
    const ptrdiff_t j = event->enters;
    const double *column = s->columns + j * s->n;
    double rate = 0.0;
    for (ptrdiff_t k = 0; k < s->size; k++)
        rate += column[s->basis[k]] * s->move[k];
    return (dot(s->n, column, dual) - event->sign * width(s, data, near, j))
           / (event->sign * s->widening * data->strength[j] + data->centre[j] - rate);
}

/* Write the answer at the alpha of an event for the data as given. The dual is solved at the alpha of the perturbed
   data and moved from there, since an error of alpha times a fast rate would put the row that leaves beyond its end.
   Uses `move`, `step` and `part`. O(size (n + 7 size) + n + q). */
INLINE void write_knot(Parametric *s, Output *out, const Event *event)
{
    const double near = s->alpha - event->fall;
    double *dual = out->dual + out->count * s->n;
    write_coefficients(s, out);
    solve_dual(s, &s->given, near, dual);
    const double distance = distance_to(s, event, near, dual), alpha = near + distance;
    for (ptrdiff_t k = 0; k < s->size; k++)
        s->step[k] = dual[s->basis[k]] + distance * (s->move[k] - shift(s, 1.0) * s->given.weight[s->basis[k]]);
    put_at_ends(s, &s->given, alpha, dual);
    for (ptrdiff_t k = 0; k < s->size; k++)
        dual[s->basis[k]] = s->step[k];
    if (event->leaves >= 0)
        dual[s->basis[event->leaves]] = end_of(s, &s->given, alpha, s->basis[event->leaves], event->sign);
    out->knots[out->count++] = alpha;
}

/* At most `most` exchanges. With `knots`, an answer is written at every knot that is above the one alpha given, then at
   that alpha; otherwise at each of the alphas, which fall. */
CLONES
static int parametric(Parametric *s, Output *out, int knots, ptrdiff_t most)
{
    ptrdiff_t still = 0;
    recompute(s);
    for (ptrdiff_t done = 0; done < most; done++) {
        const Event event = next_event(s);
        const double below = s->alpha - event.fall;
        const int happens = event.leaves >= 0 || event.enters >= 0; /* else all alphas are solved, but for NaN */
        if (!knots) {
            while (out->count < out->room && out->alphas[out->count] >= below)
                write_answer(s, out, out->alphas[out->count]);
            if (out->count == out->room)
                return ALL_SOLVED;
        } else {
            if (out->count == out->room)
                return NO_ROOM;
            if (below <= out->alphas[0]) {
                out->knots[out->count] = out->alphas[0];
                write_answer(s, out, out->alphas[0]);
                return ALL_SOLVED;
            }
            if (event.fall > 0.0 && happens)
                write_knot(s, out, &event);
        }
        still = event.fall > NO_FALL * s->alpha ? 0 : still + 1;
        if (!happens || still > 100 + 4 * s->size || !exchange(s, &event))
            return NO_PIVOT;
    }
    return BURST_OVER;
}
