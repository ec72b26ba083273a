/* Algorithm 1 with the Born-Infeld law on the two-dimensional Ackley function, as a plain loop:
 * run after run, step after step, all of a run's state in registers. It is what the compiled
 * ensembles are measured against, so it computes the same: the order of operations of bbi/rules.py,
 * and the random numbers of bbi/noise.py. */

#include <math.h>
#include <stdint.h>

#define GAMMA 0x9E3779B97F4A7C15ULL
#define EPS1 1e-10
#define EPS2 1e-40
#define TINY 1e-300
#define PI 3.14159265358979323846
#define E 2.71828182845904523536

/* The finaliser of SplitMix64. */
static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

/* Standard normal number: Box and Muller's radius from the high bits, the angle from the low ones. */
static double normal(uint64_t key, int64_t draw, uint64_t index) {
    uint64_t z = mix(mix(mix(key + (uint64_t)(draw + 1) * GAMMA) + index));
    double radius = ((double)((int64_t)z >> 32) + (0x1p31 + 0.5)) * 0x1p-32;
    double angle = (double)(z & 0xFFFFFFFFULL) * (2 * PI * 0x1p-32);
    return sqrt(-2 * log(radius)) * cos(angle);
}

/* F, and its gradient in g: eq. (15). */
static double ackley(double a, const double x[2], double g[2]) {
    double radius = sqrt((x[0] * x[0] + x[1] * x[1]) / 2);
    double cone = 20 * exp(-a * radius);
    double waves = exp((cos(2 * PI * x[0]) + cos(2 * PI * x[1])) / 2);
    double slope = radius > 0 ? cone * (a / 2) / radius : 0;
    g[0] = slope * x[0] + waves * PI * sin(2 * PI * x[0]);
    g[1] = slope * x[1] + waves * PI * sin(2 * PI * x[1]);
    return (20 - cone) + (E - waves);
}

/* runs trajectories of at most steps moves each.
 *   s        lr, delta_v, delta_e, t0, t1, n_bounces
 *   theta    (runs, 2): the starting points, replaced by the last ones
 *   value    (runs): F there          best     (runs): lowest F on the way
 *   moves    (runs): moves made       bounces  (runs): bounces of both clocks */
void ackley_runs(int64_t runs, int64_t steps, double a, const double s[6], int64_t seed, double *theta,
                 double *value, double *best, int64_t *moves, int64_t *bounces) {
    const double lr = s[0], delta_v = s[1], delta_e = s[2], t0 = s[3], t1 = s[4], n_bounces = s[5];
    for (int64_t r = 0; r < runs; r++) {
        const uint64_t key = mix(mix((uint64_t)seed + GAMMA) + (uint64_t)r * GAMMA);
        double x[2] = {theta[2 * r], theta[2 * r + 1]}, g[2], p[2], c0 = 0, c1 = 0, n_b = 0;
        double f = ackley(a, x, g), v = f - delta_v, v_min = INFINITY, lowest = f;
        const double energy = v + delta_e, p2_start = (energy - v) * (energy + v) / v;
        int64_t step = 0, draws = 0;
        for (int i = 0; i < 2; i++)
            p[i] = g[0] == 0 && g[1] == 0 ? normal(key, -1, (uint64_t)i) : -g[i];
        const double length = sqrt(fmax(p2_start, 0)) / sqrt(p[0] * p[0] + p[1] * p[1]);
        p[0] *= length, p[1] *= length;
        while (step < steps && v > EPS2 && v < INFINITY) {
            const double p2 = p[0] * p[0] + p[1] * p[1], want = (energy - v) * (energy + v) / v;
            double base2 = p2;
            const int scheduled = c0 == t0 && n_b < n_bounces;
            if (scheduled)
                n_b++, c0 = 0;
            if (scheduled || c1 == t1) {
                p[0] = normal(key, draws, 0), p[1] = normal(key, draws, 1);
                base2 = p[0] * p[0] + p[1] * p[1];
                draws++, c1 = 0;
            }
            const int keep = fabs(p2 - want) < EPS1 || want < 0;
            const double scale = sqrt((keep ? p2 : want) / fmax(base2, TINY));
            const double kick = lr * (0.5 * (v / energy + energy / v)), drift = lr * (v / energy);
            for (int i = 0; i < 2; i++) {
                p[i] = scale * p[i] - kick * g[i];
                x[i] += drift * p[i];
            }
            c0++, c1++, step++;
            if (v < v_min)
                v_min = v, c1 = 0;
            f = ackley(a, x, g), v = f - delta_v;
            if (f < lowest)
                lowest = f;
        }
        theta[2 * r] = x[0], theta[2 * r + 1] = x[1];
        value[r] = f, best[r] = lowest, moves[r] = step, bounces[r] = draws;
    }
}
