# cmake -D FROM=file.cu -D TO=file.cpp -P translate.cmake: the two things of CUDA that C++ has no words for. Lines keep
# their numbers.
file(READ ${FROM} text)
string(REPLACE "<<<" " ->* ::emulator::Launch(" text "${text}")
string(REPLACE ">>>" ")" text "${text}")
string(REGEX REPLACE "#pragma unroll[ 0-9]*" "" text "${text}")  # for registers; here it only takes the compiler eight times as long
string(REGEX REPLACE "extern __shared__ ([a-z_0-9]+) ([a-z_0-9]+)\\[\\];"
       "\\1* const \\2 = static_cast<\\1*>(::emulator::dynamic_shared());" text "${text}")
file(WRITE ${TO} "#include \"emulator.hpp\"\n#line 1 \"${FROM}\"\n${text}")
