#pragma once

#include <openssl/crypto.h>

#include <cstddef>
#include <memory>

namespace dynconf::transport {

/// The standard one, but what it frees is wiped: for buffers through which secrets pass.
template <class T> struct wiping_allocator {
    using value_type = T;

    wiping_allocator() noexcept = default;
    template <class U> wiping_allocator(const wiping_allocator<U>&) noexcept {}

    T* allocate(std::size_t n) { return std::allocator<T>().allocate(n); }
    void deallocate(T* p, std::size_t n) noexcept {
        OPENSSL_cleanse(p, n * sizeof(T));
        std::allocator<T>().deallocate(p, n);
    }

    friend bool operator==(wiping_allocator, wiping_allocator) noexcept { return true; }
};

}  // namespace dynconf::transport
