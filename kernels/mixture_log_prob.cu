// The log density of a mixture of Gaussian experts, and its responsibilities.            [S11.3]
//
//     log_q = log Σ_m α_m N(z; mu_m, var_m)        r_m = α_m N(z; mu_m, var_m) / Σ_j α_j N_j
//
// Layout   z (K, N, D), mu, log_var (M, N, D), log_alpha (M, N), log_q (K, N), r (M, K, N).
// Thread   log_prob: the dimensions x, x + blockDim.x, … of one example, for TILE samples.
//          vjp: one dimension of one example, every blockDim.y-th sample, GROUP experts.
// Block    log_prob: blockDim.y examples; the 8, 16 or 32 threads of an example lie in one warp and
//          add up by shuffles.  vjp: blockDim.x dimensions; sums over samples meet in a tree.
// Bytes    log_prob (K + 2 M) N D + 2 M K N + (K + M) N numbers, z from the first-level cache for
//          each further expert; vjp (2 K + 4 M) N D + (M + 1) K N, where M ≤ GROUP.
//
// An absent expert has log α = −∞ and r = 0, and what stands in its place is never used.

using Int = long long;

constexpr int TILE = 8;                                          // at most blockDim.x of log_prob

template <typename Real>
constexpr int GROUP = 32 / sizeof(Real);                         // as many as the registers hold

// exp(−|a − b|): 1 for two equal infinities, NaN for NaN.
template <typename Real>
__device__ Real ratio(Real a, Real b)
{
    return a == b ? 1 : exp(-fabs(a - b));
}

// Over the threads of one example, a power of 2 in one warp; every thread gets the sum.
template <typename Real>
__device__ Real across(Real part)
{
    for (int half = blockDim.x / 2; half > 0; half /= 2)
        part += __shfl_xor_sync(0xffffffff, part, half);
    return part;
}

template <typename Real>
__global__ void mixture_log_prob(
    Int K, Int M, Int N, Int D, const Real *__restrict__ z, const Real *__restrict__ mu,
    const Real *__restrict__ log_var, const Real *__restrict__ log_alpha,
    Real *__restrict__ log_q, Real *__restrict__ r)
{
    const Real log_2pi = Real(1.8378770664093454836), half = Real(0.5), nothing = log(Real(0));
    for (Int first = blockIdx.x * Int(blockDim.y); first < N; first += gridDim.x * Int(blockDim.y))
        for (Int k0 = blockIdx.y * Int(TILE); k0 < K; k0 += gridDim.y * Int(TILE)) {
            const Int n = first + threadIdx.y;                   // no early return: shuffles need all
            const Int k = k0 + threadIdx.x;                      // the sample that this thread adds up
            const bool mine = n < N && k < K && threadIdx.x < TILE;
            Real top = nothing, total = 0;
            for (Int m = 0; m < M; m++) {
                const Real alpha = n < N ? log_alpha[m * N + n] : nothing;
                Real normaliser = 0, distance[TILE] = {};
                for (Int d = threadIdx.x; alpha > nothing && d < D; d += blockDim.x) {
                    const Real centre = mu[(m * N + n) * D + d], own = log_var[(m * N + n) * D + d];
                    const Real inverse_std = exp(-half * own);
                    normaliser += log_2pi + own;
#pragma unroll
                    for (int t = 0; t < TILE; t++)
                        if (k0 + t < K) {
                            Real s = (z[((k0 + t) * N + n) * D + d] - centre) * inverse_std;
                            distance[t] += s * s;
                        }
                }
                Real score = 0;
#pragma unroll
                for (int t = 0; t < TILE; t++) {
                    Real whole = across(distance[t]);
                    score = threadIdx.x == t ? whole : score;
                }
                score = alpha - half * across(normaliser) - half * score;
                if (mine) {
                    Real scale = ratio(score, top);
                    total = score > top ? total * scale + 1 : total + scale;
                    top = score > top ? score : top;
                    r[(m * K + k) * N + n] = score;
                }
            }
            if (mine) {
                log_q[k * N + n] = top + log(total);
                const bool nobody = top == nothing && total == total;
                for (Int m = 0; m < M; m++) {
                    Real score = r[(m * K + k) * N + n];
                    r[(m * K + k) * N + n] = nobody ? 0 : ratio(score, top) / total;
                }
            }
        }
}

// ---- vjp: with s = (z − mu_m) / std_m and weight = dlog_q r_m ------------------------------------
//
//     dz = −Σ_m weight s / std_m     dmu_m = Σ_k weight s / std_m     dlog_var_m = ½ Σ_k weight (s² − 1)

// Over the threads of one dimension: a tree whose steps halve the rows; row 0 gets the sum.
template <typename Real>
__device__ Real tree(Real part)
{
    __shared__ Real parts[16][32];
    const int x = threadIdx.x, y = threadIdx.y;
    parts[y][x] = part;
    __syncthreads();
    for (int half = blockDim.y / 2; half > 0; half /= 2) {       // blockDim.y is a power of 2
        if (y < half)
            parts[y][x] += parts[y + half][x];
        __syncthreads();                                         // outside the if: all threads meet
    }
    part = parts[0][x];
    __syncthreads();                                             // before the next use of the memory
    return part;
}

template <typename Real>
__global__ void __launch_bounds__(512) mixture_log_prob_vjp(
    Int K, Int M, Int N, Int D, const Real *__restrict__ dlog_q, const Real *__restrict__ r,
    const Real *__restrict__ z, const Real *__restrict__ mu, const Real *__restrict__ log_var,
    Real *__restrict__ dz, Real *__restrict__ dmu, Real *__restrict__ dlog_var)
{
    constexpr int G = GROUP<Real>;
    const Real half = Real(0.5);
    for (Int first = blockIdx.x * Int(blockDim.x); first < N * D; first += gridDim.x * Int(blockDim.x)) {
        const Int i = first + threadIdx.x, n = i / D, rows = i < N * D ? K : 0;
        for (Int m0 = 0; m0 == 0 || m0 < M; m0 += G) {       // once without experts too: dz = 0
            Real centre[G], inverse_std[G], from_mu[G] = {}, from_log_var[G] = {};
#pragma unroll
            for (int g = 0; g < G; g++) {
                bool here = m0 + g < M && i < N * D;
                centre[g] = here ? mu[(m0 + g) * N * D + i] : 0;
                inverse_std[g] = here ? exp(-half * log_var[(m0 + g) * N * D + i]) : 0;
            }
            for (Int k = threadIdx.y; k < rows; k += blockDim.y) {
                const Real dy = dlog_q[k * N + n], own = z[k * N * D + i];
                Real from_z = m0 == 0 ? 0 : dz[k * N * D + i];
#pragma unroll
                for (int g = 0; g < G; g++) {
                    const Real weight = m0 + g < M ? dy * r[((m0 + g) * K + k) * N + n] : 0;
                    if (weight != 0) {                           // NaN in an absent expert is not 0 · NaN
                        Real s = (own - centre[g]) * inverse_std[g];
                        Real term = weight * s * inverse_std[g];
                        from_z -= term;
                        from_mu[g] += term;
                        from_log_var[g] += half * weight * (s * s - 1);
                    }
                }
                dz[k * N * D + i] = from_z;
            }
#pragma unroll
            for (int g = 0; g < G; g++)
                if (m0 + g < M) {                                // the same for the whole block
                    Real by_mu = tree(from_mu[g]), by_log_var = tree(from_log_var[g]);
                    if (threadIdx.y == 0 && i < N * D) {
                        dmu[(m0 + g) * N * D + i] = by_mu;
                        dlog_var[(m0 + g) * N * D + i] = by_log_var;
                    }
                }
        }
    }
}
