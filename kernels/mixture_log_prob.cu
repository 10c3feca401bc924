// The log density of a mixture of Gaussian experts, and its responsibilities.            [S11.3]
//
//     log_q = log Σ_m α_m N(z; mu_m, var_m)        r_m = α_m N(z; mu_m, var_m) / Σ_j α_j N_j
//
// Layout   z (K, N, D), mu, log_var (M, N, D), log_alpha (M, N), log_q (K, N), r (M, K, N).
// Thread   LANES neighbouring dimensions (16 bytes) of one example, for TILE samples at a time.
// Block    log_prob: blockDim.y examples; the 8, 16 or 32 threads of an example lie in one warp and
//          add up by shuffles.  vjp: blockDim.x threads for the dimensions, blockDim.y for the
//          samples, whose sums meet in a tree.
// Bytes    log_prob (K + 2 M) N D + M K N + (K + M) N numbers: where there are enough examples for
//          all blocks a block takes all K samples of its own, TILE at a time, so that mu and log_var
//          may stay in the first-level cache.  z stays in registers for all experts, unless an
//          example has more than LANES · blockDim.x dimensions.  r holds scores first, which are
//          read back soon: from a cache, or 2 M K N more.  vjp (2 K + 4 M) N D + (M + 1) K N, where
//          one thread has all K samples.
//
// An absent expert has log α = −∞ and r = 0, and what stands in its place is never used.

using Int = long long;

constexpr int TILE = 8;                                          // at most blockDim.x of log_prob

template <typename Real, int LANES>
struct alignas(sizeof(Real) * LANES) Pack { Real at[LANES]; };

// exp(−|a − b|): 1 for two equal infinities, NaN for NaN.  A choice of arguments needs no branch.
template <typename Real>
__device__ Real ratio(Real a, Real b)
{
    return exp(a == b ? Real(0) : -fabs(a - b));
}

// Over the threads of one example, a power of 2 in one warp; every thread gets the sum.
template <typename Real>
__device__ Real across(Real part, int half)
{
    for (; half > 0; half /= 2)
        part += __shfl_xor_sync(0xffffffff, part, half);
    return part;
}

// TILE such sums at once: thread x gets that of sample x / (blockDim.x / TILE).  In each step a
// thread gives away the half of its sums that the other keeps: 4 + 2 + 1 shuffles, not TILE · 3.
template <typename Real>
__device__ Real own_sum_across(Real (&part)[TILE])
{
    int half = blockDim.x / 2;
#pragma unroll
    for (int left = TILE / 2; left > 0; left /= 2, half /= 2) {
        const bool upper = threadIdx.x & half;
#pragma unroll
        for (int t = 0; t < left; t++) {
            const Real given = upper ? part[t] : part[t + left];
            part[t] = (upper ? part[t + left] : part[t]) + __shfl_xor_sync(0xffffffff, given, half);
        }
    }
    return across(part[0], half);
}

template <typename Real, int LANES>
__global__ void mixture_log_prob(
    Int K, Int M, Int N, Int D, const Real *__restrict__ z, const Real *__restrict__ mu,
    const Real *__restrict__ log_var, const Real *__restrict__ log_alpha,
    Real *__restrict__ log_q, Real *__restrict__ r)
{
    using Lanes = Pack<Real, LANES>;
    const Real log_2pi = Real(1.8378770664093454836), half = Real(0.5), nothing = log(Real(0));
    const int each = blockDim.x / TILE;                          // threads that get the same sum
    D /= LANES;
    const bool held = D <= blockDim.x;                           // z stays in registers
    for (Int first = blockIdx.x * Int(blockDim.y); first < N; first += gridDim.x * Int(blockDim.y))
        for (Int k0 = blockIdx.y * Int(TILE); k0 < K; k0 += gridDim.y * Int(TILE)) {
            const Int n = first + threadIdx.y;                   // no early return: shuffles need all
            const Int row = n < N ? n : N - 1;                   // so that every load has a place
            const Int k = k0 + threadIdx.x / each;               // the sample that this thread adds up
            const bool mine = n < N && k < K && threadIdx.x % each == 0;
            const int samples = K - k0 < TILE ? K - k0 : TILE;
            Lanes own_z[TILE] = {};
            Real top = nothing, total = 0;
            for (Int m = 0; m < M; m++) {
                const Real alpha = log_alpha[m * N + row];
                Real normaliser = 0, distance[TILE] = {};
                for (Int d = threadIdx.x; d < D; d += blockDim.x) {
                    // those of an absent expert too: no load waits for alpha
                    const Lanes centre = reinterpret_cast<const Lanes *>(mu)[(m * N + row) * D + d];
                    const Lanes own = reinterpret_cast<const Lanes *>(log_var)[(m * N + row) * D + d];
                    const Lanes *column = reinterpret_cast<const Lanes *>(z) + (k0 * N + row) * D + d;
                    if (m == 0 || !held) {
#pragma unroll
                        for (int t = 0; t < TILE; t++)
                            if (t < samples)
                                own_z[t] = column[t * N * D];
                    }
#pragma unroll
                    for (int i = 0; i < LANES; i++) {
                        const Real inverse_std = exp(-half * own.at[i]);
                        normaliser += log_2pi + own.at[i];
#pragma unroll
                        for (int t = 0; t < TILE; t++) {         // beyond K: of no use, and not used
                            Real s = (own_z[t].at[i] - centre.at[i]) * inverse_std;
                            distance[t] += s * s;
                        }
                    }
                }
                const Real whole = across(normaliser, blockDim.x / 2);
                const Real squares = own_sum_across(distance);
                const Real score = alpha == nothing ? nothing : alpha - half * (whole + squares);
                if (mine) {
                    Real scale = ratio(score, top);
                    total = score > top ? total * scale + 1 : total + scale;
                    top = score > top ? score : top;
                    r[(m * K + k) * N + n] = score;
                }
            }
            if (mine) {
                log_q[k * N + n] = top + log(total);
                const Real share = top == nothing && total == total ? 0 : 1 / total;
                for (Int m = 0; m < M; m++) {
                    const Int place = (m * K + k) * N + n;
                    r[place] = ratio(r[place], top) * share;
                }
            }
        }
}

// ---- vjp: with s = (z − mu_m) / std_m and weight = dlog_q r_m ------------------------------------
//
//     dz = −Σ_m weight s / std_m     dmu_m = Σ_k weight s / std_m     dlog_var_m = ½ Σ_k weight (s² − 1)

// Over the threads of one column of the block: a tree whose steps halve the rows; all get the sum.
template <typename Real>
__device__ Real tree(Real part)
{
    __shared__ Real parts[512];                                  // of the thread (x, y) at y · width + x
    const int width = blockDim.x, own = threadIdx.y * width + threadIdx.x;
    if (blockDim.y == 1)
        return part;
    parts[own] = part;
    __syncthreads();
    for (int half = blockDim.y / 2; half > 0; half /= 2) {       // blockDim.y is a power of 2
        if (threadIdx.y < half)
            parts[own] += parts[own + half * width];
        __syncthreads();                                         // outside the if: all threads meet
    }
    part = parts[threadIdx.x];
    __syncthreads();                                             // before the next use of the memory
    return part;
}

template <typename Real, int LANES>
__global__ void __launch_bounds__(512) mixture_log_prob_vjp(
    Int K, Int M, Int N, Int D, const Real *__restrict__ dlog_q, const Real *__restrict__ r,
    const Real *__restrict__ z, const Real *__restrict__ mu, const Real *__restrict__ log_var,
    Real *__restrict__ dz, Real *__restrict__ dmu, Real *__restrict__ dlog_var)
{
    using Lanes = Pack<Real, LANES>;
    const Real half = Real(0.5);
    const Int columns = N * D / LANES, stride = Int(TILE) * blockDim.y;
    for (Int first = blockIdx.x * Int(blockDim.x); first < columns; first += gridDim.x * Int(blockDim.x)) {
        const Int i = first + threadIdx.x;
        const Int place = i < columns ? i : columns - 1, n = place * LANES / D;
        for (Int turn = 0; turn == 0 || turn < K; turn += stride) {  // all threads take as many turns
            const Int k0 = turn + threadIdx.y * Int(TILE), left = i < columns ? K - k0 : 0;
            Lanes own_z[TILE] = {}, from_z[TILE] = {};
            Real score[TILE] = {}, weight[TILE] = {};            // 0 beyond the last sample
#pragma unroll
            for (int t = 0; t < TILE; t++)
                if (t < left) {
                    own_z[t] = reinterpret_cast<const Lanes *>(z)[(k0 + t) * columns + i];
                    score[t] = dlog_q[(k0 + t) * N + n];
                }
            for (Int m = 0; m < M; m++) {
                const Lanes centre = reinterpret_cast<const Lanes *>(mu)[m * columns + place];
                const Lanes own = reinterpret_cast<const Lanes *>(log_var)[m * columns + place];
                Lanes by_mu = {}, by_log_var = {};
#pragma unroll
                for (int t = 0; t < TILE && K > 0; t++) {        // some place always: no load waits
                    const Int k = k0 + t < K ? k0 + t : 0;
                    weight[t] = score[t] * r[(m * K + k) * N + n];
                }
#pragma unroll
                for (int j = 0; j < LANES; j++) {
                    const Real inverse_std = exp(-half * own.at[j]);
#pragma unroll
                    for (int t = 0; t < TILE; t++)
                        if (weight[t] != 0) {                    // NaN in an absent expert is not 0 · NaN
                            const Real s = (own_z[t].at[j] - centre.at[j]) * inverse_std;
                            const Real term = weight[t] * s * inverse_std;
                            from_z[t].at[j] -= term;
                            by_mu.at[j] += term;
                            by_log_var.at[j] += half * weight[t] * (s * s - 1);
                        }
                    by_mu.at[j] = tree(by_mu.at[j]);
                    by_log_var.at[j] = tree(by_log_var.at[j]);
                }
                if (threadIdx.y == 0 && i < columns) {
                    Lanes *to_mu = reinterpret_cast<Lanes *>(dmu) + m * columns + i;
                    Lanes *to_log_var = reinterpret_cast<Lanes *>(dlog_var) + m * columns + i;
#pragma unroll
                    for (int j = 0; turn > 0 && j < LANES; j++) {
                        by_mu.at[j] += to_mu->at[j];
                        by_log_var.at[j] += to_log_var->at[j];
                    }
                    *to_mu = by_mu;
                    *to_log_var = by_log_var;
                }
            }
#pragma unroll
            for (int t = 0; t < TILE; t++)
                if (t < left)
                    reinterpret_cast<Lanes *>(dz)[(k0 + t) * columns + i] = from_z[t];
        }
    }
}
