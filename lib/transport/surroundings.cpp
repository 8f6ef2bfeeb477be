#include "transport/surroundings.hpp"

#include <random>
#include <utility>

namespace dynconf::transport {

namespace {

thread_local surroundings* of_this_thread = nullptr;

}  // namespace

surroundings* surroundings::current() noexcept { return of_this_thread; }

surroundings::in_place::in_place(surroundings& those) noexcept : before_(std::exchange(of_this_thread, &those)) {}
surroundings::in_place::~in_place() { of_this_thread = before_; }

std::uint64_t random_bits() {
    if (surroundings* const s = surroundings::current()) return s->random_bits();
    std::random_device device;
    return std::uint64_t{device()} << 32 | device();
}

policy::random_source chance() {
    surroundings* const s = surroundings::current();
    if (!s) return policy::system_random();
    return [s] { return static_cast<double>(s->random_bits() >> 11) * 0x1p-53; };
}

}  // namespace dynconf::transport
