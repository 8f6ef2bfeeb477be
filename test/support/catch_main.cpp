// Our own main for both versions of Catch2, so that the slow part of v2 is compiled once for all test programs.

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

int main(int argc, char* argv[]) {
    Catch::Session session;
#if __has_include(<catch2/catch_all.hpp>)
    session.configData().allowZeroTests = true;  // as v2: a tag may have no case yet
#endif
    return session.run(argc, argv);
}
