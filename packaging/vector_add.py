"""Adds two vectors on a graphics processor of NVIDIA by libcuda alone, and checks the sum: `python vector_add.py`.

Needs Python and the driver's libcuda.so.1, no toolkit: the program for the processor is text (PTX), which the driver compiles.
Prints the device and "sum: right"; any error of the driver is told with the call's name, and ends it with status 1.
https://docs.nvidia.com/cuda/cuda-driver-api/
"""

from __future__ import annotations

import ctypes
import sys

COUNT = 1 << 20
BLOCK = 256
PROGRAM = b"""
.version 6.0
.target sm_50
.address_size 64
.visible .entry add(.param .u64 first, .param .u64 second, .param .u64 sum, .param .u32 count)
{
    .reg .pred %p<2>;
    .reg .b32 %r<6>;
    .reg .f32 %f<4>;
    .reg .b64 %rd<8>;
    ld.param.u64 %rd1, [first];
    ld.param.u64 %rd2, [second];
    ld.param.u64 %rd3, [sum];
    ld.param.u32 %r1, [count];
    mov.u32 %r2, %ctaid.x;
    mov.u32 %r3, %ntid.x;
    mov.u32 %r4, %tid.x;
    mad.lo.s32 %r5, %r2, %r3, %r4;
    setp.ge.u32 %p1, %r5, %r1;
    @%p1 bra END;
    mul.wide.u32 %rd4, %r5, 4;
    add.s64 %rd5, %rd1, %rd4;
    add.s64 %rd6, %rd2, %rd4;
    add.s64 %rd7, %rd3, %rd4;
    ld.global.f32 %f1, [%rd5];
    ld.global.f32 %f2, [%rd6];
    add.f32 %f3, %f1, %f2;
    st.global.f32 [%rd7], %f3;
END:
    ret;
}
"""


class Driver:
    """libcuda's functions by name; one that does not return CUDA_SUCCESS (0) ends the program."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libcuda.so.1")

    def __call__(self, name: str, *arguments: object) -> None:
        status = getattr(self._library, name)(*arguments)
        if status:
            text = ctypes.c_char_p()
            self._library.cuGetErrorString(status, ctypes.byref(text))
            sys.exit(f"{name}: {(text.value or b'?').decode()} ({status})")


def main() -> None:
    cuda = Driver()
    cuda("cuInit", 0)
    version, devices, device = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    cuda("cuDriverGetVersion", ctypes.byref(version))
    cuda("cuDeviceGetCount", ctypes.byref(devices))
    cuda("cuDeviceGet", ctypes.byref(device), 0)
    name = ctypes.create_string_buffer(128)
    cuda("cuDeviceGetName", name, len(name), device)
    print(f"{name.value.decode()}, the first of {devices.value}; CUDA {version.value // 1000}.{version.value % 1000 // 10}")
    context, module, function = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
    cuda("cuCtxCreate_v2", ctypes.byref(context), 0, device)
    cuda("cuModuleLoadData", ctypes.byref(module), PROGRAM)
    cuda("cuModuleGetFunction", ctypes.byref(function), module, b"add")
    vector = ctypes.c_float * COUNT
    size = ctypes.c_size_t(ctypes.sizeof(vector))
    first, second, added = vector(*range(COUNT)), vector(*range(0, 2 * COUNT, 2)), vector()
    places = [ctypes.c_uint64() for _ in range(3)]
    for place in places:
        cuda("cuMemAlloc_v2", ctypes.byref(place), size)
    cuda("cuMemcpyHtoD_v2", places[0], first, size)
    cuda("cuMemcpyHtoD_v2", places[1], second, size)
    values = [*places, ctypes.c_uint32(COUNT)]
    pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
    blocks = (COUNT + BLOCK - 1) // BLOCK
    cuda("cuLaunchKernel", function, blocks, 1, 1, BLOCK, 1, 1, 0, None, pointers, None)
    cuda("cuCtxSynchronize")
    cuda("cuMemcpyDtoH_v2", added, places[2], size)
    # 3 * COUNT is below 2 ** 24: a float has each of these sums exactly.
    wrong = sum(added[i] != 3 * i for i in range(COUNT))
    if wrong:
        sys.exit(f"sum: {wrong} of {COUNT} are wrong")
    print("sum: right")


if __name__ == "__main__":
    main()
