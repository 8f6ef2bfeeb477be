#include "support/memory_use.hpp"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> in_use{0};
std::atomic<std::size_t> most{0};

void* counted_if_any(void* p) noexcept {
    if (!p) return p;
    const std::size_t size = malloc_usable_size(p);
    const std::size_t now = in_use.fetch_add(size, std::memory_order_relaxed) + size;
    for (std::size_t before = most.load(std::memory_order_relaxed); before < now && !most.compare_exchange_weak(before, now);) {}
    return p;
}

void* counted(void* p) {
    if (!p) throw std::bad_alloc();
    return counted_if_any(p);
}

void release(void* p) noexcept {
    if (p) in_use.fetch_sub(malloc_usable_size(p), std::memory_order_relaxed);
    std::free(p);
}

std::size_t rounded(std::size_t size, std::align_val_t to) noexcept {
    const auto unit = static_cast<std::size_t>(to);
    return (size + unit - 1) / unit * unit;
}

}  // namespace

// All that the standard names.
void* operator new(std::size_t size) { return counted(std::malloc(size == 0 ? 1 : size)); }
void* operator new[](std::size_t size) { return counted(std::malloc(size == 0 ? 1 : size)); }
void* operator new(std::size_t size, std::align_val_t to) { return counted(std::aligned_alloc(static_cast<std::size_t>(to), rounded(size, to))); }
void* operator new[](std::size_t size, std::align_val_t to) { return counted(std::aligned_alloc(static_cast<std::size_t>(to), rounded(size, to))); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted_if_any(std::malloc(size == 0 ? 1 : size)); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counted_if_any(std::malloc(size == 0 ? 1 : size)); }
void* operator new(std::size_t size, std::align_val_t to, const std::nothrow_t&) noexcept {
    return counted_if_any(std::aligned_alloc(static_cast<std::size_t>(to), rounded(size, to)));
}
void* operator new[](std::size_t size, std::align_val_t to, const std::nothrow_t&) noexcept {
    return counted_if_any(std::aligned_alloc(static_cast<std::size_t>(to), rounded(size, to)));
}
void operator delete(void* p) noexcept { release(p); }
void operator delete[](void* p) noexcept { release(p); }
void operator delete(void* p, std::size_t) noexcept { release(p); }
void operator delete[](void* p, std::size_t) noexcept { release(p); }
void operator delete(void* p, std::align_val_t) noexcept { release(p); }
void operator delete[](void* p, std::align_val_t) noexcept { release(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { release(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { release(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { release(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { release(p); }
void operator delete(void* p, std::align_val_t, const std::nothrow_t&) noexcept { release(p); }
void operator delete[](void* p, std::align_val_t, const std::nothrow_t&) noexcept { release(p); }

namespace dynconf::test {

std::size_t memory_in_use() noexcept { return in_use; }
std::size_t most_memory_in_use() noexcept { return most; }
void mark_memory() { most = in_use.load(); }

}  // namespace dynconf::test
