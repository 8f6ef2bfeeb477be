#pragma once

#include <dynconf/key_ring.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace dynconf {

/// What a sealed view makes of a value that stands in the clear.
enum class unsealed_policy : std::uint8_t {
    refuse,    ///< It is unreadable, errc::not_sealed: who can write to etcd cannot put a value of his own in place of a sealed one.
    accept,    ///< It is taken as it is.
    migrate,   ///< It is taken as it is, and then written again, sealed, unless somebody was faster. See client::sealed.
};

struct sealing_options {
    unsealed_policy unsealed = unsealed_policy::refuse;
    /// Is asked for the keys that the ring does not have; none: they are unknown.
    key_provider provider;
    /// The longest that the provider may take for a key; it is then cancelled (terminal), and the key unavailable.
    std::chrono::milliseconds key_timeout{10'000};
    /// How many of the provider's keys are kept, the last used ones. "No such key" is kept for a minute, a failure for a second.
    std::size_t max_provided_keys = 64;
};

}  // namespace dynconf
