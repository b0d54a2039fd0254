/** Device functions that bring tiles of operands from memory to shared memory. */
export const tileCopies = `
// What is rounded to bfloat16 before it is multiplied: nearest, ties to even; NaN stays NaN.
__device__ __forceinline__ float bfloat16Of(float x) {
  const unsigned bits = __float_as_uint(x);
  return x == x ? __uint_as_float((bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u) : x;
}

// A line of free indices for each depth. Lines are aligned for wide loads; 8 neighbouring depths lie in different banks.
template <typename T, int EXTENT, int DEPTH> struct DepthLines {
  static constexpr bool keepsDepths = false;
  static constexpr int line = EXTENT + 16 / sizeof(T), size = DEPTH * line;
  static __device__ __forceinline__ int at(int free, int depth) { return depth * line + free; }
};

// How tensor cores take float32: thread t of 4 gets depths 4 t to 4 t + 3 of 16, in which banks never meet. As the order of
// depths in a sum is free, both operands have this one, whatever that of the instruction.
template <int EXTENT, int DEPTH, bool DEPTH_FIRST> struct WarpLines;

// 16 depths side by side for each free index.
template <int EXTENT, int DEPTH> struct WarpLines<EXTENT, DEPTH, true> {
  static constexpr bool keepsDepths = true;
  static constexpr int size = EXTENT * DEPTH;
  static __device__ __forceinline__ int at(int free, int depth) {
    return depth / 16 * (EXTENT * 16) + free * 16 + depth % 16;
  }
  static __device__ __forceinline__ Lanes<float, 4> fragment(const float* tile, int free, int group, int t) {
    return loadLanes<4>(tile + at(free, 16 * group + 4 * t));
  }
};

// A line of free indices for each depth: those that are loaded at a time, of all t, are neighbours.
template <int EXTENT, int DEPTH> struct WarpLines<EXTENT, DEPTH, false> {
  static constexpr bool keepsDepths = false;
  static constexpr int line = EXTENT + 8, size = DEPTH * line;
  static __device__ __forceinline__ int at(int free, int depth) {
    return (depth / 16 * 16 + depth % 4 * 4 + depth % 16 / 4) * line + free;
  }
  static __device__ __forceinline__ Lanes<float, 4> fragment(const float* tile, int free, int group, int t) {
    Lanes<float, 4> values;
    #pragma unroll
    for (int i = 0; i < 4; i++) values.at[i] = tile[at(free, 16 * group + 4 * t + i)];
    return values;
  }
};

// A thread's part of the elements of one tile, in pieces of \`width\`: pieces at all of its free indices and depths.
template <typename T, typename Operand, typename Layout, int EXTENT, int DEPTH> struct TileCopy {
  static constexpr bool alongDepth = Operand::depthFirst;
  static constexpr int width = alongDepth && !Layout::keepsDepths ? 1 : Operand::wide;
  // Pieces that neighbouring threads take side by side: as many as write to different banks.
  static constexpr int run = alongDepth ? (Layout::keepsDepths ? 16 : 8 * width) : (EXTENT < 32 * width ? EXTENT : 32 * width);
  static constexpr int side = run / width;
  static constexpr int lines = alongDepth ? EXTENT : DEPTH;
  static constexpr int across = lines < 256 / side ? lines : 256 / side;
  static constexpr int along = 256 / side / across * run;
  static constexpr int freeStep = alongDepth ? across : along, depthStep = alongDepth ? along : across;
  static constexpr int frees = EXTENT > freeStep ? EXTENT / freeStep : 1, depths = DEPTH > depthStep ? DEPTH / depthStep : 1;

  typename Operand::Free places[frees];
  int firstFree, firstDepth;

  __device__ __forceinline__ TileCopy(const Operand& operand, int free) {
    const int rest = threadIdx.x / side;
    const int first = threadIdx.x % side * width + rest / across * run, other = rest % across;
    firstFree = alongDepth ? other : first;
    firstDepth = alongDepth ? first : other;
    #pragma unroll
    for (int i = 0; i < frees; i++) places[i] = operand.free(free + firstFree + i * freeStep);
  }
  // Small tiles have less than a piece for each thread.
  __device__ __forceinline__ bool takesPart() const {
    return EXTENT * DEPTH >= 256 * width || (firstFree < EXTENT && firstDepth < DEPTH);
  }
#if __CUDA_ARCH__ >= 800
  __device__ __forceinline__ void copy(const Operand& operand, T* tile, int depth, int end) const {
    if (!takesPart()) return;
    #pragma unroll
    for (int j = 0; j < depths; j++) {
      const int d = firstDepth + j * depthStep;
      const typename Operand::Depth ofDepth = operand.depth(depth + d);
      #pragma unroll
      for (int i = 0; i < frees; i++) {
        const Place<T> from = operand.at(places[i], ofDepth);
        T* const to = tile + Layout::at(firstFree + i * freeStep, d);
        copyAsync<width * sizeof(T)>(to, from.at, depth + d < end && from.exists);
      }
    }
  }
#else
  Lanes<T, width> values[depths][frees];
  __device__ __forceinline__ void read(const Operand& operand, int depth, int end) {
    if (!takesPart()) return;
    #pragma unroll
    for (int j = 0; j < depths; j++) {
      const int d = firstDepth + j * depthStep;
      const typename Operand::Depth ofDepth = operand.depth(depth + d);
      #pragma unroll
      for (int i = 0; i < frees; i++) {
        const Place<T> from = operand.at(places[i], ofDepth);
        values[j][i] = depth + d < end && from.exists ? loadLanes<width>(from.at) : Lanes<T, width>();
      }
    }
  }
  template <bool ROUNDS> __device__ __forceinline__ void write(T* tile) const {
    if (!takesPart()) return;
    #pragma unroll
    for (int j = 0; j < depths; j++)
      #pragma unroll
      for (int i = 0; i < frees; i++) {
        Lanes<T, width> piece = values[j][i];
        if constexpr (ROUNDS)
          #pragma unroll
          for (int n = 0; n < width; n++) piece.at[n] = bfloat16Of(piece.at[n]);
        storeLanes(tile + Layout::at(firstFree + i * freeStep, firstDepth + j * depthStep), piece);
      }
  }
#endif
};
`;
