#pragma once

// What the tests of sealed views have in common.

#include "integration/scene.hpp"

#include <dynconf/key_ring.hpp>

#include <string>
#include <string_view>

namespace dynconf::test {

inline const sealing_key& key_one() {
    static const sealing_key key = sealing_key::generate();
    return key;
}
inline const sealing_key& key_two() {
    static const sealing_key key = sealing_key::generate();
    return key;
}
inline key_ring ring_one() { return key_ring("one", key_one()); }

/// What etcd has of a key, as it is there; empty: no such key.
inline std::string bytes_at(const etcd_admin& admin, const std::string& key) {
    const etcd_admin::content all = admin.read(key);
    const auto at = all.find(key);
    return at == all.end() ? std::string() : at->second.value;
}

/// Whether etcd's bytes are this value, sealed for this key.
inline bool holds_sealed(const etcd_admin& admin, const std::string& key, std::string_view value, const key_ring& with = ring_one()) {
    const auto opened = with.open(key, bytes_at(admin, key));
    return opened && *opened == value;
}

}  // namespace dynconf::test
