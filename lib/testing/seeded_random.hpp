#pragma once

#include <chrono>
#include <cstdint>

namespace dynconf::testing {

/// Splitmix64: the same numbers for the same seed with every standard library. One thread.
class seeded_random {
public:
    explicit seeded_random(std::uint64_t seed) noexcept : state_(seed) {}

    std::uint64_t bits() noexcept {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
    }
    /// From 0 to `bound` - 1; 0 for no bound.
    std::uint64_t below(std::uint64_t bound) noexcept { return bound == 0 ? 0 : bits() % bound; }
    bool chance(double p) noexcept { return static_cast<double>(bits() >> 11) * 0x1p-53 < p; }
    std::chrono::milliseconds between(std::chrono::milliseconds least, std::chrono::milliseconds most) noexcept {
        return least + std::chrono::milliseconds(below(static_cast<std::uint64_t>((most - least).count()) + 1));
    }
    /// A generator of its own, so that what one part draws does not change what another one gets.
    seeded_random branch() noexcept { return seeded_random(bits()); }

private:
    std::uint64_t state_;
};

}  // namespace dynconf::testing
