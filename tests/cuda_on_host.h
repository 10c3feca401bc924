// Runs CUDA C on the host: the threads of a block are std::threads and meet in barriers, so that
// indices, barriers and sums are tested where there is no GPU.  One block runs after the other.
#include <math.h>
#include <array>
#include <barrier>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __shared__ static
#define __restrict__
#define __launch_bounds__(...)

struct Index { unsigned x, y; };
struct float4 { float x, y, z, w; };
struct double2 { double x, y; };
static Index gridDim, blockDim, blockIdx;
static thread_local Index threadIdx;
static std::optional<std::barrier<>> block_barrier;
static std::array<std::optional<std::barrier<>>, 32> warp_barriers;

static unsigned thread_in_block() { return threadIdx.y * blockDim.x + threadIdx.x; }

static void __syncthreads() { block_barrier->arrive_and_wait(); }

template <typename Real>
Real __shfl_xor_sync(unsigned, Real value, int other)
{
    static Real lanes[1024];
    const unsigned me = thread_in_block();
    lanes[me] = value;
    warp_barriers[me / 32]->arrive_and_wait();
    Real received = lanes[me ^ other];
    warp_barriers[me / 32]->arrive_and_wait();
    return received;
}

template <typename Real>
void __stcs(Real *place, Real value) { *place = value; }

// shape = grid x, y, block x, y; args point to the arguments, as in cuLaunchKernel.
template <typename... Args>
void launch(void (*kernel)(Args...), const unsigned *shape, void **args)
{
    gridDim = {shape[0], shape[1]}, blockDim = {shape[2], shape[3]};
    const unsigned count = blockDim.x * blockDim.y;
    auto thread = [&]<std::size_t... i>(std::index_sequence<i...>, unsigned index) {
        threadIdx = {index % blockDim.x, index / blockDim.x};
        kernel(*static_cast<std::remove_cv_t<Args> *>(args[i])...);
    };
    for (blockIdx.y = 0; blockIdx.y < gridDim.y; blockIdx.y++)
        for (blockIdx.x = 0; blockIdx.x < gridDim.x; blockIdx.x++) {
            block_barrier.emplace(count);
            for (unsigned warp = 0; warp * 32 < count; warp++)
                warp_barriers[warp].emplace(count < warp * 32 + 32 ? count - warp * 32 : 32);
            std::vector<std::thread> threads;
            for (unsigned index = 0; index < count; index++)
                threads.emplace_back(thread, std::index_sequence_for<Args...>{}, index);
            for (auto &each : threads)
                each.join();
        }
}
