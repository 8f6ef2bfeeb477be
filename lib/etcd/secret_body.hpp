#pragma once

#include <dynconf/secret.hpp>

#include <string>

namespace dynconf::etcd {

/// What a request or an answer had to hold as plain text.
inline secret as_secret(std::string text) {
    secret made(text);
    wipe(text);
    return made;
}

/// Wipes `text` when it is done with, however that ends.
struct wiped {
    std::string& text;
    ~wiped() { wipe(text); }
};

}  // namespace dynconf::etcd
