/**
 * Device functions of scatterAdd. Updates with the same index form a chain in their order, which one thread for each column
 * adds up: the order of additions never changes, and no atomic addition is needed.
 */
export const scatter = `
// Of update \`n\` the next one with the same index, or \`count\`; and whether no earlier one has it. All threads of the block
// go through the indices together.
template <int THREADS>
__device__ __forceinline__ void linkUpdates(const int* indices, int n, int count, int extent, int* next, int* isFirst) {
  int* const tile = reinterpret_cast<int*>(shared);
  const int own = n < count ? clampIndex(indices[n], extent) : -1;
  int following = count, first = 1;
  for (int start = 0; start < count; start += THREADS) {
    __syncthreads();
    tile[threadIdx.x] = start + threadIdx.x < count ? clampIndex(indices[start + threadIdx.x], extent) : -2;
    __syncthreads();
    for (int i = 0; i < THREADS; i++) {
      if (tile[i] != own) continue;
      const int other = start + i;
      if (other < n) first = 0;
      if (other > n) following = min(following, other);
    }
  }
  if (n >= count) return;
  next[n] = following;
  isFirst[n] = first;
}

// The sum of a chain's updates at column \`i\` of slab \`o\`, from its first update on.
template <typename T>
__device__ __forceinline__ T chainSum(const T* updates, const int* next, long long o, int first, int i, int count,
                                      int inner) {
  T total = T(0);
  for (int n = first; n < count; n = next[n]) total = Sum::of(total, updates[(o * count + n) * inner + i]);
  return total;
}
`;
