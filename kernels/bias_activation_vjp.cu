// The backward pass of a layer's activation and bias.
//
//     da = dy · slope        db = Σ_N da
//
// Layout   dy, slope, da (N, H), db (H,); H is contiguous.
// Thread   LANES neighbouring units (16 bytes) of every blockDim.y-th row.
// Block    LANES · blockDim.x units and all their rows, so that the sums need no other block; those
//          of its threads meet in shared memory, in a tree.
// Bytes    3 N H + H numbers.

using Int = long long;

template <typename Real, int LANES>
struct alignas(sizeof(Real) * LANES) Pack { Real at[LANES]; };

template <typename Real, int LANES>
__global__ void __launch_bounds__(1024, 1) bias_activation_vjp(
    Int N, Int H, const Real *__restrict__ dy, const Real *__restrict__ slope,
    Real *__restrict__ da, Real *__restrict__ db)
{
    using Lanes = Pack<Real, LANES>;
    __shared__ Lanes sums[1024];                                 // of the thread (x, y) at y · width + x
    const int width = blockDim.x, own = threadIdx.y * width + threadIdx.x;
    H /= LANES;
    for (Int first = blockIdx.x * Int(width); first < H; first += gridDim.x * Int(width)) {
        const Int h = first + threadIdx.x, rows = h < H ? N : 0; // no early return: the tree needs all
        Lanes sum = {};
#pragma unroll 4
        for (Int n = threadIdx.y; n < rows; n += blockDim.y) {
            Lanes from_y = reinterpret_cast<const Lanes *>(dy)[n * H + h];
            Lanes factor = reinterpret_cast<const Lanes *>(slope)[n * H + h];
#pragma unroll
            for (int i = 0; i < LANES; i++) {
                from_y.at[i] *= factor.at[i];
                sum.at[i] += from_y.at[i];
            }
            reinterpret_cast<Lanes *>(da)[n * H + h] = from_y;
        }
        sums[own] = sum;
        __syncthreads();
        for (int half = blockDim.y / 2; half > 0; half /= 2) {   // blockDim.y is a power of 2
            if (threadIdx.y < half)
#pragma unroll
                for (int i = 0; i < LANES; i++)
                    sums[own].at[i] += sums[own + half * width].at[i];
            __syncthreads();                                     // outside the if: all threads meet
        }
        if (threadIdx.y == 0 && h < H)
            reinterpret_cast<Lanes *>(db)[h] = sums[own];
        __syncthreads();                                         // before the next use of the memory
    }
}
