#include "fuzz/target.hpp"

#include <cstdio>
#include <cstdlib>

// What a target throws ends the program, so that libFuzzer keeps the input; it is said here, as a terminate handler would not.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        dynconf::fuzz::targets().front().run(dynconf::fuzz::input({reinterpret_cast<const char*>(data), size}));
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s: %s\n", dynconf::fuzz::targets().front().name.c_str(), e.what());
        std::abort();
    }
    return 0;
}
