/* From a kernel's number to its place in the table of functions. */
import * as id from '../src/kernel-ids';
import { argmax } from './argmax';
import { conv, convBackward, convStep } from './conv';
import { crossEntropy, crossEntropyBackward } from './cross-entropy';
import { adamW, add, copyRuns, exp, fill, mul, silu, siluBackward, squares } from './elementwise';
import { embedding, embeddingBackward } from './embedding';
import { gemm, packColumns, packRows } from './gemm';
import { generalScan, generalScanBackward, sumToF32 } from './general-scan';
import { peak, read } from './limits';
import { longConv, longConvBackward } from './long-conv';
import { matvec } from './matvec';
import { prepareX } from './matvec-narrow';
import { norm, normBackward, normWeightBackward } from './norm';
import { arrange } from './panels';
import { recurrence, recurrenceBackward } from './recurrence';
import { columnSums } from './reduce';
import { s4dKernel, s4dKernelBackward } from './s4d-kernel';
import { sampleChoose, sampleSums, sampleTops } from './sample';
import { scan } from './scan';
import { scanBackward } from './scan-backward';
import { scanStep } from './scan-step';

type Kernel = (piece: i32, scratch: usize) => void;

@inline function place(kernel: Kernel): i32 {
  return kernel.index;
}

export function kernelOf(number: i32): i32 {
  switch (number) {
    case id.FILL: return place(fill);
    case id.COPY_RUNS: return place(copyRuns);
    case id.ADD: return place(add);
    case id.MUL: return place(mul);
    case id.SILU: return place(silu);
    case id.SILU_BACKWARD: return place(siluBackward);
    case id.EXP: return place(exp);
    case id.PACK_ROWS: return place(packRows);
    case id.PACK_COLUMNS: return place(packColumns);
    case id.GEMM: return place(gemm);
    case id.MATVEC: return place(matvec);
    case id.PREPARE_X: return place(prepareX);
    case id.ARRANGE: return place(arrange);
    case id.COLUMN_SUMS: return place(columnSums);
    case id.EMBEDDING: return place(embedding);
    case id.EMBEDDING_BACKWARD: return place(embeddingBackward);
    case id.NORM: return place(norm);
    case id.NORM_BACKWARD: return place(normBackward);
    case id.NORM_WEIGHT_BACKWARD: return place(normWeightBackward);
    case id.CONV: return place(conv);
    case id.CONV_BACKWARD: return place(convBackward);
    case id.CONV_STEP: return place(convStep);
    case id.SCAN: return place(scan);
    case id.SCAN_BACKWARD: return place(scanBackward);
    case id.SCAN_STEP: return place(scanStep);
    case id.GENERAL_SCAN: return place(generalScan);
    case id.GENERAL_SCAN_BACKWARD: return place(generalScanBackward);
    case id.SUM_TO_F32: return place(sumToF32);
    case id.RECURRENCE: return place(recurrence);
    case id.RECURRENCE_BACKWARD: return place(recurrenceBackward);
    case id.S4D_KERNEL: return place(s4dKernel);
    case id.S4D_KERNEL_BACKWARD: return place(s4dKernelBackward);
    case id.LONG_CONV: return place(longConv);
    case id.LONG_CONV_BACKWARD: return place(longConvBackward);
    case id.CROSS_ENTROPY: return place(crossEntropy);
    case id.CROSS_ENTROPY_BACKWARD: return place(crossEntropyBackward);
    case id.ARGMAX: return place(argmax);
    case id.SQUARES: return place(squares);
    case id.ADAMW: return place(adamW);
    case id.SAMPLE_TOPS: return place(sampleTops);
    case id.SAMPLE_SUMS: return place(sampleSums);
    case id.SAMPLE_CHOOSE: return place(sampleChoose);
    case id.PEAK: return place(peak);
    case id.READ: return place(read);
  }
  return -1;
}
