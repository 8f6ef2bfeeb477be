#pragma once

// Catch2 v3 or v2, whichever there is, and what both need to print our types.

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <dynconf/error.hpp>

#include <string>

// boost::system::result has an unconstrained operator<<, which Catch2 would pick for any T.
template <class T>
struct Catch::StringMaker<dynconf::result<T>> {
    static std::string convert(const dynconf::result<T>& r) {
        return r ? std::string("a value") : "error: " + r.error().message();
    }
};
