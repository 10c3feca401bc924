// The bound of importance weights and the normalised weights, its derivative.      [S9.2, S9.5]
//
//     bound = log (1/K) Σ_k w_k        weights_k = w_k / Σ_j w_j
//
// Layout   log_w, weights (K, N), bound (N,); a column is one example, and neighbouring threads
//          read neighbouring columns of one row.
// Thread   v1: a column.  v2: every blockDim.y-th entry of a column.  v3: HELD such entries at a
//          time.  v4: a few at a time of LANES neighbouring columns (16 bytes).
// Block    v2 to v4: the columns of blockDim.x threads; the partial sums meet in shared memory, in a
//          tree.
// Bytes    2 K N + N numbers.  v1 reads log_w three times, v2 twice, v3 and v4 once where the
//          registers of a block hold all K; beyond, their second reading is to find in the
//          second-level cache what the few columns of the blocks at work left there.
//
// −∞ weighs 0; a column of only −∞ gives −∞ and weights 0; +∞ is shared; NaN stays NaN.

using Int = long long;

// exp(−|a − b|): 1 for two equal infinities, NaN for NaN.  A choice of arguments needs no branch.
template <typename Real>
__device__ Real ratio(Real a, Real b)
{
    return exp(a == b ? Real(0) : -fabs(a - b));
}

// Σ exp(a) = total · exp(top), a sum to which terms and other sums can be added in one pass.
template <typename Real>
struct LogSum {
    Real top = log(Real(0)), total = 0;                          // −∞: nothing yet

    __device__ void add(Real other_top, Real other_total)
    {
        Real scale = ratio(other_top, top);
        bool greater = other_top > top;
        total = greater ? total * scale + other_total : total + other_total * scale;
        top = greater ? other_top : top;
    }

    __device__ Real value() const { return top + log(total); }

    // What turns ratio(a, top) into a weight: one division a column, not one an entry.
    __device__ Real share() const { return top == log(Real(0)) && total == total ? 0 : 1 / total; }
};

// ---- v1: one thread a column; the greatest, the sum, the weights: three passes -------------------

template <typename Real>
__global__ void importance_weights_v1(
    Int K, Int N, Real log_K, const Real *__restrict__ log_w, Real *__restrict__ bound,
    Real *__restrict__ weights)
{
    Int thread = (blockIdx.x * Int(blockDim.y) + threadIdx.y) * blockDim.x + threadIdx.x;
    for (Int n = thread; n < N; n += gridDim.x * Int(blockDim.y) * blockDim.x) {
        LogSum<Real> sum;
        for (Int k = 0; k < K; k++)
            sum.top = log_w[k * N + n] > sum.top ? log_w[k * N + n] : sum.top;
        for (Int k = 0; k < K; k++)
            sum.total += ratio(log_w[k * N + n], sum.top);
        bound[n] = sum.value() - log_K;
        const Real share = sum.share();
        for (Int k = 0; k < K; k++)
            weights[k * N + n] = ratio(log_w[k * N + n], sum.top) * share;
    }
}

// ---- v2: a block shares its columns, and greatest and sum take one pass --------------------------

// Over the threads of one column: a tree whose steps halve the rows; every thread gets the result.
template <typename Real>
__device__ LogSum<Real> tree(LogSum<Real> sum)
{
    __shared__ Real top[1024], total[1024];                      // of the thread (x, y) at y · width + x
    const int width = blockDim.x, own = threadIdx.y * width + threadIdx.x;
    top[own] = sum.top;
    total[own] = sum.total;
    __syncthreads();
    for (int half = blockDim.y / 2; half > 0; half /= 2) {       // blockDim.y is a power of 2
        if (threadIdx.y < half) {
            sum.add(top[own + half * width], total[own + half * width]);
            top[own] = sum.top;
            total[own] = sum.total;
        }
        __syncthreads();                                         // outside the if: all threads meet
    }
    sum.top = top[threadIdx.x];
    sum.total = total[threadIdx.x];
    __syncthreads();                                             // before the next use of the memory
    return sum;
}

template <typename Real>
__global__ void __launch_bounds__(1024) importance_weights_v2(
    Int K, Int N, Real log_K, const Real *__restrict__ log_w, Real *__restrict__ bound,
    Real *__restrict__ weights)
{
    for (Int first = blockIdx.x * Int(blockDim.x); first < N; first += gridDim.x * Int(blockDim.x)) {
        const Int n = first + threadIdx.x, rows = n < N ? K : 0; // no early return: the tree needs all
        LogSum<Real> sum;
        for (Int k = threadIdx.y; k < rows; k += blockDim.y)
            sum.add(log_w[k * N + n], 1);
        sum = tree(sum);
        const Real share = sum.share();
        for (Int k = threadIdx.y; k < rows; k += blockDim.y)
            weights[k * N + n] = ratio(log_w[k * N + n], sum.top) * share;
        if (threadIdx.y == 0 && n < N)
            bound[n] = sum.value() - log_K;
    }
}

// ---- v3: HELD rows at a time; the second pass goes back from those that the registers still hold --

constexpr int HELD = 8;

// HELD entries of a column, from row k on in steps; −∞ where the column's rows have ended.
template <typename Real>
__device__ void load(Real (&held)[HELD], const Real *column, Int k, int step, Int rows, Int N)
{
    const Real *entry = column + k * N;
    const Int jump = step * N;
    if (k + (HELD - 1) * step < rows) {                          // all are there: HELD loads at once
#pragma unroll
        for (int h = 0; h < HELD; h++, entry += jump)
            held[h] = *entry;
    } else {
#pragma unroll
        for (int h = 0; h < HELD; h++, entry += jump)
            held[h] = k + h * step < rows ? *entry : log(Real(0));
    }
}

// The other way; the cache may evict these first, to keep log_w.
template <typename Real>
__device__ void store(const Real (&held)[HELD], Real *column, Int k, int step, Int rows, Int N)
{
    Real *entry = column + k * N;
    const Int jump = step * N;
    if (k + (HELD - 1) * step < rows) {
#pragma unroll
        for (int h = 0; h < HELD; h++, entry += jump)
            __stcs(entry, held[h]);
    } else {
#pragma unroll
        for (int h = 0; h < HELD; h++, entry += jump)
            if (k + h * step < rows)
                __stcs(entry, held[h]);
    }
}

template <typename Real>
__global__ void __launch_bounds__(1024) importance_weights_v3(
    Int K, Int N, Real log_K, const Real *__restrict__ log_w, Real *__restrict__ bound,
    Real *__restrict__ weights)
{
    const int step = blockDim.y;
    const Int last = (K - 1) / (HELD * step) * (HELD * step) + threadIdx.y; // of the last group
    for (Int first = blockIdx.x * Int(blockDim.x); first < N; first += gridDim.x * Int(blockDim.x)) {
        const Int n = first + threadIdx.x, rows = n < N ? K : 0; // no early return: the tree needs all
        LogSum<Real> sum;
        Real held[HELD];
        for (Int k = threadIdx.y; k <= last; k += HELD * step) {
            load(held, log_w + n, k, step, rows, N);
            Real top = held[0], total = 0;                       // one rescaling for HELD terms
#pragma unroll
            for (int h = 1; h < HELD; h++)
                top = fmax(top, held[h]);                        // not NaN, which the total will be
#pragma unroll
            for (int h = 0; h < HELD; h++)
                total += ratio(held[h], top);
            sum.add(top, total);
        }
        sum = tree(sum);
        const Real share = sum.share();
        for (Int k = last; k >= 0; k -= HELD * step) {
            if (k < last)
                load(held, log_w + n, k, step, rows, N);
#pragma unroll
            for (int h = 0; h < HELD; h++)
                held[h] = ratio(held[h], sum.top) * share;
            store(held, weights + n, k, step, rows, N);
        }
        if (threadIdx.y == 0 && n < N)
            bound[n] = sum.value() - log_K;
    }
}

// ---- v4: LANES columns a thread, in loads and stores of 16 bytes, by blocks of half as many threads

template <typename Real, int LANES>
struct alignas(sizeof(Real) * LANES) Pack { Real at[LANES]; };

// The type of 16 bytes that __stcs stores at once, or Real.
template <typename Real, int LANES> struct Vector { using type = Real; };
template <> struct Vector<float, 4> { using type = float4; };
template <> struct Vector<double, 2> { using type = double2; };

// As above, for LANES columns.
template <typename Real, int LANES>
__device__ void tree(LogSum<Real> (&sum)[LANES])
{
    __shared__ Pack<Real, LANES> top[512], total[512];
    const int width = blockDim.x, own = threadIdx.y * width + threadIdx.x;
    for (int half = blockDim.y; half > 0; half /= 2) {
#pragma unroll
        for (int i = 0; i < LANES; i++) {
            if (threadIdx.y < half && half < blockDim.y)
                sum[i].add(top[own + half * width].at[i], total[own + half * width].at[i]);
            top[own].at[i] = sum[i].top;
            total[own].at[i] = sum[i].total;
        }
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < LANES; i++) {
        sum[i].top = top[threadIdx.x].at[i];
        sum[i].total = total[threadIdx.x].at[i];
    }
    __syncthreads();                                             // before the next use of the memory
}

template <typename Real, int LANES>
__global__ void __launch_bounds__(512, 8 / sizeof(Real)) importance_weights_v4(
    Int K, Int N, Real log_K, const Real *__restrict__ log_w, Real *__restrict__ bound,
    Real *__restrict__ weights)
{
    using Lanes = Pack<Real, LANES>;
    using Stored = typename Vector<Real, LANES>::type;
    constexpr int ROWS = 16 / sizeof(Real);                      // at a time
    const int step = blockDim.y;
    const Int last = (K - 1) / (ROWS * step) * (ROWS * step) + threadIdx.y; // of the last group
    N /= LANES;
    for (Int first = blockIdx.x * Int(blockDim.x); first < N; first += gridDim.x * Int(blockDim.x)) {
        const Int n = first + threadIdx.x, rows = n < N ? K : 0; // no early return: the tree needs all
        LogSum<Real> sum[LANES];
        Lanes held[ROWS];
        auto load = [&](Int k) {
#pragma unroll
            for (int h = 0; h < ROWS; h++) {
#pragma unroll
                for (int i = 0; i < LANES; i++)
                    held[h].at[i] = log(Real(0));
                if (k + h * step < rows)
                    held[h] = reinterpret_cast<const Lanes *>(log_w)[(k + h * step) * N + n];
            }
        };
        for (Int k = threadIdx.y; k <= last; k += ROWS * step) {
            load(k);
#pragma unroll
            for (int i = 0; i < LANES; i++) {
                Real top = held[0].at[i], total = 0;             // one rescaling for ROWS terms
#pragma unroll
                for (int h = 1; h < ROWS; h++)
                    top = fmax(top, held[h].at[i]);              // not NaN, which the total will be
#pragma unroll
                for (int h = 0; h < ROWS; h++)
                    total += ratio(held[h].at[i], top);
                sum[i].add(top, total);
            }
        }
        tree(sum);
        Real share[LANES];
#pragma unroll
        for (int i = 0; i < LANES; i++)
            share[i] = sum[i].share();
        for (Int k = last; k >= 0; k -= ROWS * step) {
            if (k < last)
                load(k);
#pragma unroll
            for (int h = 0; h < ROWS; h++) {
#pragma unroll
                for (int i = 0; i < LANES; i++)
                    held[h].at[i] = ratio(held[h].at[i], sum[i].top) * share[i];
                auto place = reinterpret_cast<Stored *>(weights) + (k + h * step) * N + n;
                if (k + h * step < rows)                         // evicted first, to keep log_w cached
                    __stcs(place, reinterpret_cast<const Stored &>(held[h]));
            }
        }
        if (threadIdx.y == 0 && n < N)
#pragma unroll
            for (int i = 0; i < LANES; i++)
                bound[n * LANES + i] = sum[i].value() - log_K;
    }
}
