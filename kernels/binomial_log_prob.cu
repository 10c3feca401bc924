// The binomial log likelihood of logits, without its coefficient; Bernoulli at n = 1.
//
//     log_p = Σ_P x·l − n·softplus(l)        ∂log_p/∂l = x − n·sigmoid(l)
//
// Layout   logits, dlogits (L, N, P), x (N, P) counts, log_p, dlog_p (L, N); P is contiguous.
// Thread   every blockDim.x-th group of LANES features (16 bytes) of one row of P features.
// Block    blockDim.y examples; the 8, 16 or 32 threads of a row lie in one warp and add up by
//          shuffles.
// Bytes    log_prob L N P numbers, vjp 2 L N P; further L N, and N P for x: where there are enough
//          examples for all blocks a block takes all L rows of its own, one after the other, so
//          that x may stay in the first-level cache.
//
// v2 takes one logarithm for 4 · LANES features: Σ log(1 + e) = log Π (1 + e).
//
// softplus(l) = max(l, 0) + log(1 + e) and sigmoid(l) = (1 or e) / (1 + e) with e = exp(−|l|).

using Int = long long;

template <typename Real, int LANES>
struct alignas(sizeof(Real) * LANES) Pack { Real at[LANES]; };

// log(1 + e) for 0 ≤ e ≤ 1.  The float is a minimax polynomial, within 1.5 ulp: log1pf, made for
// all numbers, takes more instructions.
__device__ inline double log_1_plus(double e) { return log1p(e); }

__device__ inline float log_1_plus(float e)
{
    float q = -0.003176057f;
    q = q * e + 0.019542526f;
    q = q * e - 0.05637361f;
    q = q * e + 0.105436236f;
    q = q * e - 0.15269667f;
    q = q * e + 0.19663274f;
    q = q * e - 0.24951616f;
    q = q * e + 0.3332971f;
    q = q * e - 0.49999893f;
    return (q * e + 1) * e;
}

template <typename Real>
__device__ Real log_prob(Real l, Real x, Real n)
{
    return x * l - n * ((l > 0 ? l : 0) + log_1_plus(exp(-fabs(l))));
}

template <typename Real>
__device__ Real slope(Real l, Real x, Real n)
{
    Real e = exp(-fabs(l));
    return x - n * ((l > 0 ? 1 : e) / (1 + e));
}

// Over the threads of one row, a power of 2 in one warp; every thread gets the sum.
template <typename Real>
__device__ Real across(Real part)
{
    for (int half = blockDim.x / 2; half > 0; half /= 2)
        part += __shfl_xor_sync(0xffffffff, part, half);
    return part;
}

// The rows of L and N that this block owns: body(row of logits, row of x) for all its threads.
template <typename Body>
__device__ void for_rows(Int L, Int N, Body body)
{
    for (Int first = blockIdx.x * Int(blockDim.y); first < N; first += gridDim.x * Int(blockDim.y))
        for (Int l = blockIdx.y; l < L; l += gridDim.y)
            body(l * N + first + threadIdx.y, first + threadIdx.y);
}

template <typename Real, int LANES>
__global__ void binomial_log_prob(
    Int L, Int N, Int P, Real n, const Real *__restrict__ logits, const Real *__restrict__ x,
    Real *__restrict__ log_p)
{
    using Lanes = Pack<Real, LANES>;
    P /= LANES;
    for_rows(L, N, [=](Int row, Int example) {
        Real sum = 0;
        for (Int p = threadIdx.x; example < N && p < P; p += blockDim.x) {
            Lanes l = reinterpret_cast<const Lanes *>(logits)[row * P + p];
            Lanes count = reinterpret_cast<const Lanes *>(x)[example * P + p];
#pragma unroll
            for (int i = 0; i < LANES; i++)
                sum += log_prob(l.at[i], count.at[i], n);
        }
        sum = across(sum);                                       // outside the loop: all threads meet
        if (threadIdx.x == 0 && example < N)
            log_p[row] = sum;
    });
}

// ---- v2: with q = Π (1 + e) − 1, which keeps what a product near 1 would lose ---------------------

template <typename Real, int LANES>
__global__ void binomial_log_prob_v2(
    Int L, Int N, Int P, Real n, const Real *__restrict__ logits, const Real *__restrict__ x,
    Real *__restrict__ log_p)
{
    using Lanes = Pack<Real, LANES>;
    constexpr int TURNS = 4;                                     // q < 2^(TURNS · LANES)
    P /= LANES;
    for_rows(L, N, [=](Int row, Int example) {
        Real sum = 0;
        for (Int first = threadIdx.x; example < N && first < P; first += TURNS * blockDim.x) {
            Real q = 0;
#pragma unroll
            for (int turn = 0; turn < TURNS; turn++) {
                const Int p = first + turn * blockDim.x;
                if (p < P) {
                    Lanes l = reinterpret_cast<const Lanes *>(logits)[row * P + p];
                    Lanes count = reinterpret_cast<const Lanes *>(x)[example * P + p];
#pragma unroll
                    for (int i = 0; i < LANES; i++) {
                        const Real e = exp(-fabs(l.at[i]));
                        sum += count.at[i] * l.at[i] - n * (l.at[i] > 0 ? l.at[i] : 0);
                        q += e + q * e;
                    }
                }
            }
            sum -= n * log1p(q);
        }
        sum = across(sum);
        if (threadIdx.x == 0 && example < N)
            log_p[row] = sum;
    });
}

template <typename Real, int LANES>
__global__ void binomial_log_prob_vjp(
    Int L, Int N, Int P, Real n, const Real *__restrict__ dlog_p, const Real *__restrict__ logits,
    const Real *__restrict__ x, Real *__restrict__ dlogits)
{
    using Lanes = Pack<Real, LANES>;
    P /= LANES;
    for_rows(L, N, [=](Int row, Int example) {
        for (Int p = threadIdx.x; example < N && p < P; p += blockDim.x) {
            Lanes l = reinterpret_cast<const Lanes *>(logits)[row * P + p];
            Lanes count = reinterpret_cast<const Lanes *>(x)[example * P + p], gradient;
#pragma unroll
            for (int i = 0; i < LANES; i++)
                gradient.at[i] = dlog_p[row] * slope(l.at[i], count.at[i], n);
            reinterpret_cast<Lanes *>(dlogits)[row * P + p] = gradient;
        }
    });
}
