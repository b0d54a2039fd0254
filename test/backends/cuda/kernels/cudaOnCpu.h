// CUDA C as C++ on one core: blocks one after another, the threads of a block as fibers that change places where they
// meet. A thread that meets no other one costs a function call. All threads of a block meet at the same calls; a shuffle
// is a meeting too. The last block comes first, and every other block has its threads backwards: what relies on an order
// that CUDA does not promise gives wrong results.
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define __global__
#define __device__
#define __shared__
#define __forceinline__ inline
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __launch_bounds__(threads)

struct Dimension { unsigned x; };
static Dimension threadIdx, blockIdx;

extern __shared__ __align__(16) unsigned char shared[];
__align__(16) unsigned char shared[48 * 1024];

namespace emulation {
typedef unsigned long long Word;
// A kernel is given more arguments than it takes: those that it does not know do not harm it.
typedef void (*Kernel)(Word, Word, Word, Word, Word, Word, Word, Word, Word);
constexpr unsigned mostThreads = 1024;
constexpr size_t stackBytes = 64 * 1024;

struct Fiber { ucontext_t context; unsigned thread; bool waits; char* stack; };
static Fiber fibers[mostThreads];
static ucontext_t scheduler;
static unsigned current, nextThread, threads;
static bool backwards;
static Kernel kernel;
static const Word* arguments;
static unsigned long long exchanged[mostThreads];

// Threads that have not begun, one after another, until one has to wait.
static void run() {
  Fiber& own = fibers[current];
  while (nextThread < threads) {
    threadIdx.x = backwards ? threads - 1 - nextThread : nextThread;
    nextThread++;
    const Word* a = arguments;
    kernel(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8]);
  }
  own.waits = false;
  swapcontext(&own.context, &scheduler);
}

static void resume(unsigned fiber) {
  current = fiber;
  threadIdx.x = fibers[fiber].thread;
  swapcontext(&scheduler, &fibers[fiber].context);
}

static void runBlock() {
  unsigned used = 0;
  nextThread = 0;
  backwards = blockIdx.x % 2 == 0;
  while (nextThread < threads) {
    Fiber& fiber = fibers[used];
    if (!fiber.stack) fiber.stack = (char*)malloc(stackBytes);
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack;
    fiber.context.uc_stack.ss_size = stackBytes;
    fiber.context.uc_link = 0;
    makecontext(&fiber.context, run, 0);
    fiber.waits = false;
    resume(used++);
  }
  for (bool waits = true; waits;) {
    waits = false;
    for (unsigned fiber = 0; fiber < used; fiber++)
      if (fibers[fiber].waits) {
        waits = true;
        resume(fiber);
      }
  }
}
}

static void __syncthreads() {
  using namespace emulation;
  Fiber& own = fibers[current];
  own.thread = threadIdx.x;
  own.waits = true;
  swapcontext(&own.context, &scheduler);
}

template <typename T> static T __shfl_xor_sync(unsigned, T value, int distance) {
  memcpy(&emulation::exchanged[threadIdx.x], &value, sizeof(T));
  __syncthreads();
  T result;
  memcpy(&result, &emulation::exchanged[threadIdx.x ^ distance], sizeof(T));
  __syncthreads();
  return result;
}

template <typename To, typename From> static inline To bitsAs(From from) {
  To to;
  memcpy(&to, &from, sizeof(To));
  return to;
}
static inline float __int_as_float(int bits) { return bitsAs<float>(bits); }
static inline float __uint_as_float(unsigned bits) { return bitsAs<float>(bits); }
static inline int __float_as_int(float value) { return bitsAs<int>(value); }
static inline unsigned __float_as_uint(float value) { return bitsAs<unsigned>(value); }
static inline double __longlong_as_double(long long bits) { return bitsAs<double>(bits); }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fsqrt_rn(float x) { return sqrtf(x); }
static inline double __dadd_rn(double a, double b) { return a + b; }
static inline double __dmul_rn(double a, double b) { return a * b; }
template <typename T> static inline T min(T a, T b) { return b < a ? b : a; }
template <typename T> static inline T max(T a, T b) { return a < b ? b : a; }

extern "C" void runKernel(emulation::Kernel kernel, unsigned blocks, unsigned threads, const emulation::Word* arguments) {
  emulation::kernel = kernel;
  emulation::threads = threads;
  emulation::arguments = arguments;
  for (blockIdx.x = blocks; blockIdx.x-- > 0;) emulation::runBlock();
}
