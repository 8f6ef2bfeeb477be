#pragma once

#include <dynconf/secret.hpp>

#include <string>

namespace dynconf {

/// Wipes `text` when it is done with, however that ends.
struct wiped {
    std::string& text;
    ~wiped() { wipe(text); }
};

}  // namespace dynconf
