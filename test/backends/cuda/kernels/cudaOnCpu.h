// CUDA C as C++ on one core: blocks one after another, the threads of a block as fibers that change places where they
// meet. A thread that meets no other one costs a function call. All threads of a block meet at the same calls; a shuffle
// is a meeting too. The last block comes first, and every other block has its threads backwards: what relies on an order
// that CUDA does not promise gives wrong results. Shared memory begins as NaN.
//
// What is PTX on a GPU is here by its documents. A copy that goes on while its thread does is made as late as they permit in
// every other block, and at once in the others. A product by tensor cores is a meeting: each thread takes its elements of
// the result from the registers of those that hold the operands. NVIDIA, PTX ISA, "Matrix Fragments for mma.m16n8k8" and
// "for mma.m16n8k16".
#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <vector>

#define __global__
#define __device__
#define __shared__
#define __forceinline__ inline
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __launch_bounds__(...)

struct Dimension { unsigned x; };
static Dimension threadIdx, blockIdx;

extern __shared__ __align__(16) unsigned char shared[];
__align__(16) unsigned char shared[64 * 1024];

namespace emulation {
typedef unsigned long long Word;
// A kernel is given more arguments than it takes: those that it does not know do not harm it.
typedef void (*Kernel)(Word, Word, Word, Word, Word, Word, Word, Word, Word);
constexpr unsigned mostThreads = 1024;
constexpr size_t stackBytes = 64 * 1024;

// Fibers begin by their context and go on by jumps, which do not call the system.
struct Fiber { ucontext_t context; jmp_buf place; unsigned thread; bool waits; char* stack; };
static Fiber fibers[mostThreads];
static jmp_buf scheduler;
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
  _longjmp(scheduler, 1);
}

static void begin(unsigned fiber) {
  current = fiber;
  if (!_setjmp(scheduler)) setcontext(&fibers[fiber].context);
}

static void resume(unsigned fiber) {
  current = fiber;
  threadIdx.x = fibers[fiber].thread;
  if (!_setjmp(scheduler)) _longjmp(fibers[fiber].place, 1);
}

// Copies of a thread on their way, and how many groups of them it has ended.
struct Copy { void* to; const void* from; size_t bytes; bool exists; unsigned group; };
static std::vector<Copy> copies[mostThreads];
static unsigned endedGroups[mostThreads];

static void make(const Copy& copy) {
  // A GPU gives up where an address is not aligned.
  const bool isAligned = ((size_t)copy.to | (copy.exists ? (size_t)copy.from : 0)) % copy.bytes == 0;
  if (isAligned && copy.exists) memcpy(copy.to, copy.from, copy.bytes);
  else memset(copy.to, isAligned ? 0 : 0xff, copy.bytes);
}

// Registers of threads whose warps multiply: of this product, and of the one before, that some may still read.
struct Registers { unsigned a[4], b[2]; };
static Registers held[2][mostThreads];
static unsigned products[mostThreads];

static void runBlock() {
  unsigned used = 0;
  nextThread = 0;
  backwards = blockIdx.x % 2 == 0;
  memset(shared, 0xff, sizeof shared);
  for (unsigned thread = 0; thread < threads; thread++) {
    copies[thread].clear();
    endedGroups[thread] = products[thread] = 0;
  }
  while (nextThread < threads) {
    Fiber& fiber = fibers[used];
    if (!fiber.stack) fiber.stack = (char*)malloc(stackBytes);
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack;
    fiber.context.uc_stack.ss_size = stackBytes;
    fiber.context.uc_link = 0;
    makecontext(&fiber.context, run, 0);
    fiber.waits = false;
    begin(used++);
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
  if (!_setjmp(own.place)) _longjmp(scheduler, 1);
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

#if __CUDA_ARCH__ >= 800
template <int BYTES> static void copyAsync(void* to, const void* from, bool exists) {
  using namespace emulation;
  const Copy copy = {to, from, BYTES, exists, endedGroups[threadIdx.x]};
  if (backwards) make(copy);
  else copies[threadIdx.x].push_back(copy);
}

static inline void endCopies() { emulation::endedGroups[threadIdx.x]++; }

template <int NEWEST> static void waitForCopies() {
  using namespace emulation;
  std::vector<Copy> remaining;
  for (const Copy& copy : copies[threadIdx.x])
    if (copy.group + NEWEST < endedGroups[threadIdx.x]) make(copy);
    else remaining.push_back(copy);
  copies[threadIdx.x] = remaining;
}

static unsigned bfloat16Bits(float x) {
  const unsigned bits = __float_as_uint(x);
  return x == x ? (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16 : 0x7fffu;
}
static unsigned bfloat16Pair(float first, float second) { return bfloat16Bits(second) << 16 | bfloat16Bits(first); }

// To the nearest, ties away from 0.
static unsigned tf32Of(float x) { return x == x ? (__float_as_uint(x) + 0x1000u) & ~0x1fffu : 0x7fffffffu; }

namespace emulation {
// Rows and depths of a, depths and columns of b, by the thread of the warp and the register that hold them.
struct Bfloat16Fragments {
  static constexpr int depths = 16;
  static float a(const Registers* warp, int row, int depth) {
    return half(warp[row % 8 * 4 + depth % 8 / 2].a[depth / 8 * 2 + row / 8], depth % 2);
  }
  static float b(const Registers* warp, int depth, int column) {
    return half(warp[column * 4 + depth % 8 / 2].b[depth / 8], depth % 2);
  }
  static float half(unsigned pair, int which) { return __uint_as_float(which ? pair & 0xffff0000u : pair << 16); }
};
struct Tf32Fragments {
  static constexpr int depths = 8;
  static float a(const Registers* warp, int row, int depth) {
    return number(warp[row % 8 * 4 + depth % 4].a[depth / 4 * 2 + row / 8]);
  }
  static float b(const Registers* warp, int depth, int column) {
    return number(warp[column * 4 + depth % 4].b[depth / 4]);
  }
  static float number(unsigned bits) { return __uint_as_float(bits & ~0x1fffu); }
};

template <typename Fragments> static void multiply(float (&sums)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  const unsigned thread = threadIdx.x;
  Registers* const all = held[products[thread]++ % 2];
  memcpy(all[thread].a, a, sizeof a);
  memcpy(all[thread].b, b, sizeof b);
  __syncthreads();
  const Registers* const warp = all + thread / 32 * 32;
  for (int i = 0; i < 4; i++) {
    const int row = thread % 32 / 4 + i / 2 * 8, column = thread % 4 * 2 + i % 2;
    double sum = sums[i];
    for (int depth = 0; depth < Fragments::depths; depth++)
      sum += (double)Fragments::a(warp, row, depth) * Fragments::b(warp, depth, column);
    sums[i] = (float)sum;
  }
}
}

static void multiplyBfloat16(float (&sums)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  emulation::multiply<emulation::Bfloat16Fragments>(sums, a, b);
}
static void multiplyTf32(float (&sums)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  emulation::multiply<emulation::Tf32Fragments>(sums, a, b);
}
#endif

extern "C" void runKernel(emulation::Kernel kernel, unsigned blocks, unsigned threads, const emulation::Word* arguments) {
  emulation::kernel = kernel;
  emulation::threads = threads;
  emulation::arguments = arguments;
  for (blockIdx.x = blocks; blockIdx.x-- > 0;) emulation::runBlock();
}
