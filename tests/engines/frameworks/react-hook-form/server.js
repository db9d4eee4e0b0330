export { respondAsApi as respond } from '../http.mjs';
